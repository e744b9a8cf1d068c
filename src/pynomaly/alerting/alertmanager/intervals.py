"""Time intervals of ``alertmanager.yml``: when routes are muted, and when active."""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pynomaly.model.document import Section

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORTEST_MONTH = 28
_LONGEST_MONTH = 31


class Range(NamedTuple):
    """From ``first`` to ``last``, both inclusive."""

    first: int
    last: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.first <= value <= self.last


def _range(value: Any, names: Mapping[str, int], what: str, *, numbers: bool = True) -> Range:
    """``a:b`` or ``a``, each a name or a number."""
    if isinstance(value, Range):
        return value
    if not isinstance(value, str | int):
        raise ValueError(f"{what}, or two with a colon between, is expected")
    parts = str(value).lower().split(":")
    if len(parts) > 2:
        raise ValueError(f"a range has one colon, as in a:b, not {len(parts) - 1}")
    ends = [_member(part, names, what, numbers=numbers) for part in parts]
    return Range(ends[0], ends[-1])


def _member(text: str, names: Mapping[str, int], what: str, *, numbers: bool) -> int:
    if text in names:
        return names[text]
    if numbers and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    raise ValueError(f"{text!r} is not {what}")


def _weekdays(value: Any) -> Range:
    names = {name: number for number, name in enumerate(WEEKDAYS)}
    found = _range(value, names, "a day such as monday", numbers=False)
    if found.first > found.last:
        raise ValueError(
            "the last day comes before the first, and the week begins on sunday; "
            "write two ranges, as in ['friday:saturday', 'sunday']"
        )
    return found


def _days_of_month(value: Any) -> Range:
    found = _range(value, {}, "a day of the month such as 1 or -1")
    for day in found:
        if not 1 <= abs(day) <= _LONGEST_MONTH:
            raise ValueError(f"{day} is not a day of the month; 1 to 31, or -1 to -31 from its end")
    if found.first < 0 < found.last:
        raise ValueError("where the first day counts from the end, so must the last")
    first, last = (day if day > 0 else _SHORTEST_MONTH + day for day in found)
    if first > last:
        raise ValueError(f"the last day, {found.last}, always comes before the first")
    return found


def _months(value: Any) -> Range:
    names = {name: number for number, name in enumerate(_MONTHS, 1)}
    return _ascending(_range(value, names, "a month such as january or 1"), "month")


def _years(value: Any) -> Range:
    return _ascending(_range(value, {}, "a year such as 2030"), "year")


def _ascending(found: Range, what: str) -> Range:
    if found.first > found.last:
        raise ValueError(f"the last {what} comes before the first")
    return found


_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")


def _minutes(value: Any) -> int:
    if isinstance(value, int):
        return value
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a time such as 09:00 is expected, 24:00 at most")
    hours, minutes = (int(part) for part in found.groups() if part)
    return hours * 60 + minutes


Minutes = Annotated[int, BeforeValidator(_minutes)]
"""Minutes since the day began, written as ``HH:MM``."""


class TimeRange(Section):
    """A part of the day; ``end_time`` is not part of it."""

    start_time: Minutes
    end_time: Minutes

    @model_validator(mode="after")
    def _ascending(self) -> "TimeRange":
        if self.start_time >= self.end_time:
            raise ValueError(
                "start_time must come before end_time; write two ranges for a night, one up to "
                "24:00 and one from 00:00"
            )
        return self

    def __contains__(self, minute: object) -> bool:
        return isinstance(minute, int) and self.start_time <= minute < self.end_time


def _location(name: str) -> str:
    try:
        _zone(name)
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError: see _zone
        raise ValueError(
            f"the time zone {name!r} is not known here; give a name such as Europe/Berlin"
        ) from error
    return name


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | None:
    """The zone of a name; None for the machine's own."""
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return None
    try:
        return ZoneInfo(name)
    except KeyError as error:
        raise ValueError(name) from error


class TimeInterval(Section):
    """A set of moments: those that satisfy every part that is given.

    Ranges are inclusive; days of the month count from its end where they are negative.
    """

    times: tuple[TimeRange, ...] | None = None
    weekdays: tuple[Annotated[Range, BeforeValidator(_weekdays)], ...] | None = None
    days_of_month: tuple[Annotated[Range, BeforeValidator(_days_of_month)], ...] | None = None
    months: tuple[Annotated[Range, BeforeValidator(_months)], ...] | None = None
    years: tuple[Annotated[Range, BeforeValidator(_years)], ...] | None = None
    location: Annotated[str, AfterValidator(_location)] = "UTC"

    def contains(self, at: float) -> bool:
        """Whether a moment, in epoch seconds, lies within."""
        moment = datetime.fromtimestamp(at, _zone(self.location))
        return (
            _holds(self.times, moment.hour * 60 + moment.minute)
            and self._holds_day(moment)
            and _holds(self.months, moment.month)
            and _holds(self.weekdays, moment.isoweekday() % 7)
            and _holds(self.years, moment.year)
        )

    def _holds_day(self, moment: datetime) -> bool:
        if self.days_of_month is None:
            return True
        length = monthrange(moment.year, moment.month)[1]
        return any(moment.day in _within(days, length) for days in self.days_of_month)


def _holds(parts: Iterable[Any] | None, value: int) -> bool:
    return parts is None or any(value in part for part in parts)


def _within(days: Range, length: int) -> Range:
    """The days as they are in a month of this many days."""
    first, last = (day if day > 0 else length + day + 1 for day in days)
    return Range(first, last)


class NamedIntervals(Section):
    """``time_intervals``: intervals under the name by which routes speak of them."""

    name: str = Field(min_length=1)
    time_intervals: tuple[TimeInterval, ...] = ()

    def contains(self, at: float) -> bool:
        """Whether a moment lies within any of them."""
        return any(interval.contains(at) for interval in self.time_intervals)


class Intervals:
    """The intervals of a configuration by name."""

    def __init__(self, named: Iterable[NamedIntervals]) -> None:
        self._named = {intervals.name: intervals for intervals in named}

    def mutes(self, names: Iterable[str], at: float) -> tuple[str, ...]:
        """Those of the named intervals that hold the moment ``at``; none: nothing is muted.

        A route is muted when any of its ``mute_time_intervals`` holds, or when it has
        ``active_time_intervals`` and none of them does.

        Raises:
            KeyError: a name that the configuration has not.
        """
        return tuple(name for name in dict.fromkeys(names) if self._named[name].contains(at))

    def why_silent(self, mute: Sequence[str], active: Sequence[str], at: float) -> str:
        """Why a route with these intervals tells nothing at a moment; empty: it does.

        Raises:
            KeyError: a name that the configuration has not.
        """
        if muted := self.mutes(mute, at):
            return f"muted at that time by {', '.join(muted)}"
        if active and not self.mutes(active, at):
            return f"not active at that time, which is outside of {', '.join(active)}"
        return ""
