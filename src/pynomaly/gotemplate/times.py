"""Go's times and durations as templates meet them: layouts, methods, and how they are shown."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pynomaly.gotemplate.errors import FunctionError
from pynomaly.gotemplate.functions import methods
from pynomaly.gotemplate.layouts import format_time
from pynomaly.gotemplate.types import GoType, Kind

SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = -62135596800 * SECOND
_LONGEST = 2**63 - 1


class Duration(int):
    """A time.Duration, in nanoseconds."""

    go_type: ClassVar[GoType] = GoType("time.Duration", Kind.INT, string=str, json=int, methods={})

    def __str__(self) -> str:
        """As Go writes it: ``1h2m3.5s``, ``1.5ms``, ``0s``."""
        value = abs(int(self))
        sign = "-" if self < 0 else ""
        if value == 0:
            return "0s"
        for size, unit in ((1, "ns"), (1000, "µs"), (1_000_000, "ms")):
            if value < size * 1000:
                return f"{sign}{_fraction(value, size)}{unit}"
        minutes, rest = divmod(value, 60 * SECOND)
        hours, minutes = divmod(minutes, 60)
        text = f"{_fraction(rest, SECOND)}s"
        if hours or minutes:
            text = f"{minutes}m{text}"
        return sign + (f"{hours}h{text}" if hours else text)


def _fraction(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


@dataclass(frozen=True, slots=True)
class Time:
    """A time.Time: nanoseconds since 1970, seen in a zone."""

    nanoseconds: int = _ZERO
    zone: tzinfo = UTC

    go_type: ClassVar[GoType] = GoType("time.Time", Kind.STRUCT, string=str, methods={})

    def local(self) -> datetime:
        """The time in its zone, to the microsecond."""
        at = _EPOCH + timedelta(microseconds=self.nanoseconds // 1000)
        try:
            return at.astimezone(self.zone)
        except OverflowError:  # at either end of the calendar
            return at

    def format(self, layout: str) -> str:
        """The time by a layout such as ``2006-01-02 15:04:05``."""
        return format_time(self.local(), self.nanoseconds % SECOND, layout)

    def __str__(self) -> str:
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")


def moment(seconds: float) -> Time:
    """A time from seconds since 1970, to the millisecond."""
    return Time(int(seconds * 1000) * 1_000_000)


def in_zone(name: str, at: Time) -> Time:
    """The same time in a zone of the time zone database; ``Local`` is UTC here.

    Raises:
        FunctionError: there is no such zone.
    """
    if name in ("", "UTC", "Local"):
        return Time(at.nanoseconds, UTC)
    try:
        return Time(at.nanoseconds, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FunctionError(f"unknown time zone {name}") from error


def _bounded(nanoseconds: int) -> int:
    return max(-_LONGEST - 1, min(_LONGEST, nanoseconds))


def _add(at: Time, by: Duration) -> Time:
    total = at.nanoseconds + by
    if not _ZERO <= total < 253402300800 * SECOND:
        raise FunctionError("the time is outside of the years 1 to 9999")
    return Time(total, at.zone)


def _sub(at: Time, other: Time) -> Duration:
    return Duration(_bounded(at.nanoseconds - other.nanoseconds))


def _format(at: Time, layout: str) -> str:
    return at.format(layout)


def _text(at: Time) -> str:
    return str(at)


def _utc(at: Time) -> Time:
    return Time(at.nanoseconds)


def _before(at: Time, other: Time) -> bool:
    return at.nanoseconds < other.nanoseconds


def _after(at: Time, other: Time) -> bool:
    return at.nanoseconds > other.nanoseconds


def _equal(at: Time, other: Time) -> bool:
    return at.nanoseconds == other.nanoseconds


def _truncate(at: Time, to: Duration) -> Time:
    return Time(at.nanoseconds - (at.nanoseconds - _ZERO) % to, at.zone) if to > 0 else at


def _is_zero(at: Time) -> bool:
    return at.nanoseconds == _ZERO


def _unix(at: Time) -> int:
    return at.nanoseconds // SECOND


def _unix_milli(at: Time) -> int:
    return at.nanoseconds // 1_000_000


def _unix_micro(at: Time) -> int:
    return at.nanoseconds // 1000


def _unix_nano(at: Time) -> int:
    return at.nanoseconds


def _year(at: Time) -> int:
    return at.local().year


def _month(at: Time) -> str:
    return at.format("January")


def _day(at: Time) -> int:
    return at.local().day


def _hour(at: Time) -> int:
    return at.local().hour


def _minute(at: Time) -> int:
    return at.local().minute


def _second(at: Time) -> int:
    return at.local().second


def _nanosecond(at: Time) -> int:
    return at.nanoseconds % SECOND


def _weekday(at: Time) -> str:
    return at.format("Monday")


def _year_day(at: Time) -> int:
    return at.local().timetuple().tm_yday


def _hours(duration: Duration) -> float:
    return duration / (3600 * SECOND)


def _minutes(duration: Duration) -> float:
    return duration / (60 * SECOND)


def _seconds(duration: Duration) -> float:
    return duration / SECOND


def _milliseconds(duration: Duration) -> int:
    return int(duration / 1_000_000)


def _nanoseconds(duration: Duration) -> int:
    return int(duration)


def _duration_text(duration: Duration) -> str:
    return str(duration)


Duration.go_type = GoType(
    "time.Duration",
    Kind.INT,
    string=str,
    json=int,
    methods=methods(
        String=_duration_text,
        Hours=_hours,
        Minutes=_minutes,
        Seconds=_seconds,
        Milliseconds=_milliseconds,
        Nanoseconds=_nanoseconds,
    ),
)


def _as_json(at: Time) -> str:
    return at.format("2006-01-02T15:04:05.999999999Z07:00")


_TIME_METHODS = methods(
    Add=_add,
    After=_after,
    Before=_before,
    Day=_day,
    Equal=_equal,
    Format=_format,
    Hour=_hour,
    IsZero=_is_zero,
    Minute=_minute,
    Month=_month,
    Nanosecond=_nanosecond,
    Second=_second,
    String=_text,
    Sub=_sub,
    Truncate=_truncate,
    UTC=_utc,
    Unix=_unix,
    UnixMicro=_unix_micro,
    UnixMilli=_unix_milli,
    UnixNano=_unix_nano,
    Weekday=_weekday,
    Year=_year,
    YearDay=_year_day,
)
Time.go_type = GoType("time.Time", Kind.STRUCT, string=str, json=_as_json, methods=_TIME_METHODS)
