"""Go's layouts of times: the reference time ``Mon Jan 2 15:04:05 MST 2006``, written and read."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from pynomaly.gotemplate.errors import FunctionError
from pynomaly.gotemplate.literals import quoted

_PIECES = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|__2|_2(?!006)|[.,](?:0+|9+)(?!\d)"
    r"|01|02|03|04|05|06|15|1|2|3|4|5|PM|pm|[Z-]07:00:00|[Z-]070000|[Z-]07:00|[Z-]0700|[Z-]07"
)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

_WRITERS: dict[str, Callable[[datetime], str]] = {
    "January": lambda at: _MONTHS[at.month - 1],
    "Jan": lambda at: _MONTHS[at.month - 1][:3],
    "Monday": lambda at: _DAYS[at.weekday()],
    "Mon": lambda at: _DAYS[at.weekday()][:3],
    "MST": lambda at: _zone_name(at),
    "2006": lambda at: f"{at.year:04d}",
    "06": lambda at: f"{at.year % 100:02d}",
    "01": lambda at: f"{at.month:02d}",
    "1": lambda at: str(at.month),
    "02": lambda at: f"{at.day:02d}",
    "_2": lambda at: f"{at.day:2d}",
    "2": lambda at: str(at.day),
    "002": lambda at: f"{at.timetuple().tm_yday:03d}",
    "__2": lambda at: f"{at.timetuple().tm_yday:3d}",
    "15": lambda at: f"{at.hour:02d}",
    "03": lambda at: f"{(at.hour + 11) % 12 + 1:02d}",
    "3": lambda at: str((at.hour + 11) % 12 + 1),
    "04": lambda at: f"{at.minute:02d}",
    "4": lambda at: str(at.minute),
    "05": lambda at: f"{at.second:02d}",
    "5": lambda at: str(at.second),
    "PM": lambda at: "PM" if at.hour >= 12 else "AM",
    "pm": lambda at: "pm" if at.hour >= 12 else "am",
}


def format_time(at: datetime, nanoseconds: int, layout: str) -> str:
    """A time by a layout; ``nanoseconds`` is its part below the second.

    >>> format_time(datetime(2024, 3, 5, 14, 7, 9, tzinfo=UTC), 120_000_000, "Jan _2 3:04PM .000")
    'Mar  5 2:07PM .120'
    """

    def piece(found: re.Match[str]) -> str:
        name = found.group()
        if name[0] in ".,":
            return _fraction(name, nanoseconds)
        if name[0] in "Z-":
            return _offset(name, at)
        return _WRITERS[name](at)

    return _PIECES.sub(piece, layout)


def _fraction(name: str, nanoseconds: int) -> str:
    digits = f"{nanoseconds:09d}"[: len(name) - 1]
    digits = digits.rstrip("0") if name[1] == "9" else digits.ljust(len(name) - 1, "0")
    return name[0] + digits if digits else ""


def _zone_name(at: datetime) -> str:
    name = at.tzname() or "UTC"
    return name.removeprefix("UTC") if name.startswith(("UTC+", "UTC-")) else name


def _offset(name: str, at: datetime) -> str:
    seconds = int((at.utcoffset() or timedelta()).total_seconds())
    if name[0] == "Z" and not seconds:
        return "Z"
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    parts = [f"{seconds // 3600:02d}", f"{seconds // 60 % 60:02d}", f"{seconds % 60:02d}"]
    count = len(re.findall(r"\d\d", name))
    return sign + (":" if ":" in name else "").join(parts[:count])


_READERS: dict[str, tuple[str, str]] = {
    "January": ("month_name", "|".join(_MONTHS)),
    "Jan": ("month_name", "|".join(m[:3] for m in _MONTHS)),
    "Monday": ("weekday", "|".join(_DAYS)),
    "Mon": ("weekday", "|".join(d[:3] for d in _DAYS)),
    "MST": ("zone", r"UTC|[A-Z]{3,5}|[+-]\d\d"),
    "2006": ("year", r"\d{4}"),
    "06": ("short_year", r"\d{2}"),
    "01": ("month", r"\d{2}"),
    "1": ("month", r"\d{1,2}"),
    "02": ("day", r"\d{2}"),
    "_2": ("day", r" ?\d{1,2}"),
    "2": ("day", r"\d{1,2}"),
    "002": ("year_day", r"\d{3}"),
    "__2": ("year_day", r" {0,2}\d{1,3}"),
    "15": ("hour", r"\d{2}"),
    "03": ("hour12", r"\d{2}"),
    "3": ("hour12", r"\d{1,2}"),
    "04": ("minute", r"\d{2}"),
    "4": ("minute", r"\d{1,2}"),
    "05": ("second", r"\d{2}"),
    "5": ("second", r"\d{1,2}"),
    "PM": ("half", "AM|PM"),
    "pm": ("half", "am|pm"),
}


def parse_time(layout: str, text: str) -> int:
    """Nanoseconds since 1970 of a text that has this layout; without a zone it is UTC.

    Raises:
        FunctionError: in Go's words, what does not fit the layout.
    """
    fields: dict[str, str] = {}
    rest, at = text, 0
    for piece in _PIECES.finditer(layout):
        rest = _skip(layout, text, layout[at : piece.start()], rest)
        rest = _read(layout, text, piece.group(), rest, fields)
        at = piece.end()
    rest = _skip(layout, text, layout[at:], rest)
    if rest:
        raise FunctionError(_cannot(layout, text) + f"extra text: {quoted(rest)}")
    return _nanoseconds(layout, text, fields)


def _cannot(layout: str, text: str) -> str:
    return f"parsing time {quoted(text)} as {quoted(layout)}: "


def _skip(layout: str, text: str, literal: str, rest: str) -> str:
    if not rest.startswith(literal):
        raise FunctionError(
            _cannot(layout, text) + f"cannot parse {quoted(rest)} as {quoted(literal)}"
        )
    return rest[len(literal) :]


def _read(layout: str, text: str, piece: str, rest: str, fields: dict[str, str]) -> str:
    if piece[0] in ".,":
        name, pattern = "fraction", r"[.,]\d{1,9}" + ("|" if piece[1] == "9" else "")
    elif piece[0] in "Z-":
        colon = ":" if ":" in piece else ""
        groups = [r"\d\d"] * len(re.findall(r"\d\d", piece))
        name, pattern = "offset", "[+-]" + colon.join(groups) + ("|Z" if piece[0] == "Z" else "")
    else:
        name, pattern = _READERS[piece]
    found = re.match(pattern, rest)
    if not found:
        raise FunctionError(
            _cannot(layout, text) + f"cannot parse {quoted(rest)} as {quoted(piece)}"
        )
    fields[name] = found.group().strip()
    rest = rest[found.end() :]
    if (
        name == "second"
        and (fraction := re.match(r"[.,]\d{1,9}", rest))
        and "fraction" not in fields
    ):
        following = layout.partition(piece)[2]
        if not re.match(r"[.,][09]", following):  # a fraction is read even if no layout says it
            fields["fraction"] = fraction.group()
            rest = rest[fraction.end() :]
    return rest


def _nanoseconds(layout: str, text: str, fields: dict[str, str]) -> int:
    try:
        at = datetime(
            _year(fields),
            _month(fields),
            int(fields.get("day", 1)),
            _hour(fields),
            int(fields.get("minute", 0)),
            int(fields.get("second", 0)),
            tzinfo=_zone(fields),
        )
    except ValueError as error:
        raise FunctionError(_cannot(layout, text) + str(error)) from error
    if "year_day" in fields:
        at += timedelta(days=min(int(fields["year_day"]), 366) - 1)
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return seconds * 10**9 + int(fields.get("fraction", ".0")[1:].ljust(9, "0"))


def _year(fields: dict[str, str]) -> int:
    if "short_year" in fields:
        short = int(fields["short_year"])
        return short + (1900 if short >= 69 else 2000)
    return int(fields.get("year", 1)) or 1


def _month(fields: dict[str, str]) -> int:
    if name := fields.get("month_name"):
        return next(i for i, month in enumerate(_MONTHS, 1) if month.startswith(name))
    return int(fields.get("month", 1))


def _hour(fields: dict[str, str]) -> int:
    hour = int(fields.get("hour12", fields.get("hour", 0)))
    half = fields.get("half", "").upper()
    if half == "PM" and hour < 12:
        return hour + 12
    return 0 if half == "AM" and hour == 12 else hour


def _zone(fields: dict[str, str]) -> timezone:
    offset = fields.get("offset", "Z")
    if offset == "Z":
        return UTC
    numbers = [int(n) for n in re.findall(r"\d\d", offset)]
    hours, minutes, seconds = [*numbers, 0, 0][:3]
    delta = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-delta if offset[0] == "-" else delta)
