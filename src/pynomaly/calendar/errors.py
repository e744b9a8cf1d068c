"""What can be wrong with an event."""

from pynomaly.model.errors import BadInput, PynomalyError


class BadEvent(BadInput):
    """An event that cannot be kept as given."""


class EventNotFound(PynomalyError):
    """There is no event of this id: it never was, was deleted, or its retention is over."""

    status = 404
    kind = "not_found"

    def __init__(self, event_id: str) -> None:
        super().__init__(f"There is no event {event_id}.", hint="`pynomaly events list` shows all.")


class EventIsConfigured(PynomalyError):
    """A holiday of the configuration: it is changed there, not here."""

    status = 409
    kind = "conflict"

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"The event {event_id} comes from the section `calendar` of the configuration.",
            hint="Change it there.",
        )


class TooManyEvents(PynomalyError):
    """As many events are kept as `calendar.max_events` allows."""

    status = 409
    kind = "conflict"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"There are {most} events already, the most that are kept.",
            hint="Delete some, or change `calendar.retention` or `calendar.max_events`.",
        )
