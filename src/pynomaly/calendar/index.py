"""Which events lie at a time, without asking each of them."""

from collections.abc import Iterable, Iterator

import numpy as np

from pynomaly.calendar.events import Event, Occurrence


class EventIndex:
    """Events by their times. It does not change: threads may share it."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.by_id = {event.id: event for event in events}
        once = [event for event in self.by_id.values() if event.recurrence is None]
        self._once = sorted(once, key=lambda event: (event.starts_at, event.id))
        self._again = [event for event in self.by_id.values() if event.recurrence is not None]
        self._starts = np.array([event.starts_at for event in self._once])
        # The latest end of an event and all before it: where it is earlier, none of them lasts.
        ends = np.array([event.ends_at for event in self._once])
        self._ends = np.maximum.accumulate(ends) if len(ends) else ends

    def __len__(self) -> int:
        return len(self.by_id)

    def between(self, since: float, until: float) -> Iterator[Occurrence]:
        """What lies at least partly in ``[since, until]``, in no order."""
        for event in self._near(since, until):
            yield from event.occurrences(since, until)
        for event in self._again:
            yield from event.occurrences(since, until)

    def at(self, at: float) -> Iterator[Occurrence]:
        """What is active at a time, in no order."""
        for event in (*self._near(at, at), *self._again):
            if found := event.occurrence_at(at):
                yield found

    def _near(self, since: float, until: float) -> list[Event]:
        first = int(np.searchsorted(self._ends, since, side="left"))
        beyond = int(np.searchsorted(self._starts, until, side="right"))
        return self._once[first:beyond]
