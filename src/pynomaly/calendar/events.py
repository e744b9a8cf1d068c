"""What was done, or will be, to which systems and when; and what is to be made of it meanwhile."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pynomaly.calendar.errors import BadEvent
from pynomaly.calendar.recurrence import Recurrence, Span, spans, spans_of_day
from pynomaly.model.labels import service_of
from pynomaly.model.matcher import Matcher

_DAY = 86_400.0
_LATEST = 32_503_680_000.0  # the year 3000
_LONGEST_RECURRING = 31 * _DAY
_TITLE_LENGTH = 200
_TEXT_LENGTH = 10_000
SETTLING = 1800.0
"""Seconds that a deployment or a change lasts which is not learnt from or not told of, unless its
end is given."""


class EventKind(StrEnum):
    """What an event is."""

    DEPLOYMENT = "deployment"
    CONFIGURATION = "configuration"
    MAINTENANCE = "maintenance"
    HOLIDAY = "holiday"
    OTHER = "other"

    @property
    def is_quiet(self) -> bool:
        """Whether, unless someone says otherwise, nothing is learnt or told meanwhile."""
        return self is EventKind.MAINTENANCE


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people did or will do. Times are epoch seconds.

    A moment has an end equal to its begin. ``matchers``: which series and alerts it concerns, all
    of them if there are none. ``learn``: whether what is usual is learnt meanwhile; ``alarm``:
    whether anomalies are told meanwhile. ``recurrence``: when it comes again, ``starts_at`` and
    ``ends_at`` being the first time. ``id`` is empty in an event that is to be created.
    ``configured``: it comes from the configuration and is not kept in the records.
    """

    kind: EventKind
    title: str
    starts_at: float
    ends_at: float
    text: str = ""
    link: str = ""
    matchers: tuple[Matcher, ...] = ()
    learn: bool = True
    alarm: bool = True
    recurrence: Recurrence | None = None
    created_by: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    id: str = ""
    configured: bool = False

    @property
    def is_moment(self) -> bool:
        """Whether it has no length."""
        return self.ends_at == self.starts_at

    @property
    def has_effect(self) -> bool:
        """Whether anything is other while it is active."""
        return not (self.learn and self.alarm) or self.kind is EventKind.HOLIDAY

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether a series or an alert of these labels is meant, whatever the time.

        Where there is no label ``service``, a matcher of it sees the service by which the product
        knows the series: its ``service_name``, ``app`` or ``job``.
        """
        return all(each.matches(seen(each.name, labels)) for each in self.matchers)

    def may_concern(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels and others, not known, can be meant."""
        return all(m.matches(value) for m in self.matchers if (value := seen(m.name, labels)))

    def occurrences(self, since: float, until: float) -> Iterator["Occurrence"]:
        """Each time that it lies at least partly in ``[since, until]``, in order."""
        for begin, end in self._spans(since, until):
            yield Occurrence(self, begin, end)

    def occurrence_at(self, at: float) -> "Occurrence | None":
        """The time it is active at ``at``, if it is; the end itself does not belong to it."""
        found: Iterator[Span] | tuple[Span, ...] = iter(((self.starts_at, self.ends_at),))
        if self.recurrence is not None:
            found = spans_of_day(self.recurrence, (self.starts_at, self.ends_at), int(at // _DAY))
        active = (Occurrence(self, begin, end) for begin, end in found if begin <= at < end)
        return next(active, None)

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            BadEvent: no title, or one too long; times that are none; an end before the begin; an
                effect or a recurrence of a moment.
        """
        if not self.title.strip():
            raise BadEvent('title: an event needs one, such as "checkout 1.42"')
        for name, text, most in (
            ("title", self.title, _TITLE_LENGTH),
            ("text", self.text, _TEXT_LENGTH),
            ("link", self.link, _TEXT_LENGTH),
        ):
            if len(text) > most:
                raise BadEvent(f"{name}: {len(text)} characters are more than {most}")
        if self.link and not self.link.startswith(("http://", "https://")):
            raise BadEvent("link: an address such as https://ci.example.com/1 is expected")
        for name, at in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            if not 0 <= at <= _LATEST:
                raise BadEvent(f"{name}: {at} is no time from 1970 to 3000 in seconds")
        if self.ends_at < self.starts_at:
            raise BadEvent("ends_at: the end is before the begin")
        if self.is_moment and self.has_effect:
            raise BadEvent(
                "ends_at: an end is needed, since a moment has no meanwhile",
                hint="Give `ends_at` or `duration`.",
            )
        self._check_recurrence()

    def _check_recurrence(self) -> None:
        if self.recurrence is None:
            return
        if self.is_moment:
            raise BadEvent("recurrence: what comes again needs an end or a duration")
        if self.ends_at - self.starts_at > _LONGEST_RECURRING:
            raise BadEvent("recurrence: what comes again lasts 31 days at most each time")

    def _spans(self, since: float, until: float) -> Iterator[Span]:
        if self.recurrence is not None:
            yield from spans(self.recurrence, (self.starts_at, self.ends_at), since, until)
        elif self.starts_at <= until and self.ends_at >= since:
            yield self.starts_at, self.ends_at


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an event happens; epoch seconds."""

    event: Event
    starts_at: float
    ends_at: float

    def active(self, at: float) -> bool:
        """Whether it lasts at this time; the end itself does not belong to it."""
        return self.starts_at <= at < self.ends_at


def with_defaults(event: Event, *, now: float, duration: float | None = None) -> Event:
    """An event with a begin and an end, where they were not given (0).

    It begins ``now``; it ends after ``duration`` seconds. Without that a deployment, a change of
    the configuration or another event is a moment, unless it has an effect: then it lasts half an
    hour, in which things settle. Maintenance needs an end; so does a holiday.
    """
    begin = event.starts_at or now
    end = event.ends_at
    if not end:
        quiet = not (event.learn and event.alarm)
        own = event.kind not in (EventKind.MAINTENANCE, EventKind.HOLIDAY)
        settling = SETTLING if quiet and own else 0.0
        end = begin + (settling if duration is None else duration)
    return replace(event, starts_at=begin, ends_at=end)


def seen(name: str, labels: Mapping[str, str]) -> str:
    """The value that a matcher of this label is held against; see ``Event.concerns``."""
    found = labels.get(name, "")
    return found or (service_of(labels) if name == "service" else "")
