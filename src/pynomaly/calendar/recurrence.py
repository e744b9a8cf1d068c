"""What comes again: every night, every second Sunday, by the clocks of a time zone.

The rule is an RRULE of RFC 5545 (section 3.3.10), expanded by dateutil. It runs over wall-clock
times, so that a window at 02:00 stays at 02:00 when the clocks change: a time that they skip is as
much later as they are set forward, and of a time that they show twice the first is meant (section
3.3.5). A window ends at the same time of day each time, too.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr

from pynomaly.calendar.errors import BadEvent

Span = tuple[float, float]
"""Begin and end, epoch seconds."""

_WORDS = {
    "daily": "FREQ=DAILY",
    "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "weekly": "FREQ=WEEKLY",
    "monthly": "FREQ=MONTHLY",
    "yearly": "FREQ=YEARLY",
}
_DAYS = "MO|TU|WE|TH|FR|SA|SU"


def _list(form: str) -> str:
    return f"{form}(?:,{form})*"


_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
# The time of day is that of the first occurrence; the other parts of an RRULE would change it.
_PARTS = {
    "FREQ": "|".join(_FREQUENCIES),
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,3}",
    "UNTIL": r"\d{8}(?:T\d{6}Z?)?",
    "BYDAY": _list(rf"(?:[+-]?[1-9]\d?)?(?:{_DAYS})"),
    "BYMONTHDAY": _list(r"[+-]?(?:0?[1-9]|[12]\d|3[01])"),
    "BYMONTH": _list(r"(?:0?[1-9]|1[0-2])"),
    "BYSETPOS": _list(r"[+-]?[1-9]\d{0,2}"),
    "WKST": _DAYS,
}
_STEP_DAYS = {"DAILY": 1, "WEEKLY": 7}
_SOON = timedelta(days=9 * 366)
"""Within this a rule comes at least once: 29 February may be eight years away."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When an event comes again: an RRULE without that word, and an IANA time zone.

    ``until``: epoch seconds after which it is over, even in the midst of an occurrence.
    """

    rule: str
    time_zone: str = "UTC"
    until: float = math.inf


def recurrence(rule: str, time_zone: str, until: float = math.inf) -> Recurrence:
    """Read a rule: an RRULE, or ``daily``, ``weekdays``, ``weekly``, ``monthly``, ``yearly``.

    >>> recurrence("weekly", "Europe/Berlin").rule
    'FREQ=WEEKLY'

    Raises:
        BadEvent: it is no rule; or there is no such time zone.
    """
    text = _WORDS.get(rule.strip().lower(), rule.strip().upper().removeprefix("RRULE:"))
    parts = _parts(text)
    zone_of(time_zone)
    if "FREQ" not in parts:
        raise BadEvent(f"{rule!r} does not say how often: begin with FREQ=WEEKLY, or write weekly")
    if "COUNT" in parts and "UNTIL" in parts:
        raise BadEvent(f"{rule!r} has COUNT and UNTIL; give one of them")
    if "BYMONTHDAY" in parts and parts["FREQ"] == "WEEKLY":
        raise BadEvent(f"{rule!r}: a week has no BYMONTHDAY; use FREQ=MONTHLY")
    if parts["FREQ"] in ("DAILY", "WEEKLY") and re.search(r"\d", parts.get("BYDAY", "")):
        raise BadEvent(f"{rule!r}: BYDAY counts days of a month; use FREQ=MONTHLY")
    try:
        rrulestr(_without_zone(text, ZoneInfo(time_zone)), dtstart=datetime(2000, 1, 1))
    except ValueError as error:
        raise BadEvent(f"{rule!r} is not a rule of RFC 5545: {error}") from None
    return Recurrence(text, time_zone, until)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name such as ``Europe/Berlin``.

    Raises:
        BadEvent: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadEvent(f"{name!r} is no time zone; write it like Europe/Berlin") from None


def first_span(rule: Recurrence, span: Span) -> Span:
    """The first occurrence at or after the begin of ``span``, as long by the clocks. Blocking.

    Raises:
        BadEvent: the rule never comes true, or not within nine years.
    """
    begin = _wall(span[0], zone_of(rule.time_zone)).replace(microsecond=0)
    first = next(iter(_rule(rule, begin)), None)
    if first is None or first - begin > _SOON:
        raise BadEvent(f"{rule.rule!r} never comes true after {begin:%Y-%m-%d}")
    found = next(spans(rule, span, span[0], math.inf), None)
    if found is None:
        raise BadEvent(f"{rule.rule!r} is over before it begins")
    return found


def spans(rule: Recurrence, span: Span, since: float, until: float) -> Iterator[Span]:
    """The occurrences that lie at least partly in ``[since, until]``, in order.

    ``span`` is the first occurrence, or where to look for it from.
    """
    zone = zone_of(rule.time_zone)
    begin, end = _wall(span[0], zone), _wall(span[1], zone)
    length = end - begin
    begin = begin.replace(microsecond=0)  # dateutil counts whole seconds
    anchor = _anchor(rule, begin, max(since, span[0]), length, zone)
    for wall in _rule(rule, anchor):
        found = span if wall == begin else _span(wall, length, zone)
        if found[0] > until or found[0] >= rule.until:
            return
        if found[1] >= since:
            yield found[0], min(found[1], rule.until)


@lru_cache(maxsize=1024)
def spans_of_day(rule: Recurrence, span: Span, day: int) -> tuple[Span, ...]:
    """Those that lie at least partly in a day of UTC, counted from the epoch; remembered."""
    return tuple(islice(spans(rule, span, day * 86_400.0, (day + 1) * 86_400.0), 1000))


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        form = _PARTS.get(name)
        if form is None:
            known = ", ".join(_PARTS)
            raise BadEvent(f"{part!r} is no part of a rule; known parts: {known}")
        if name in found:
            raise BadEvent(f"a rule has {name} twice")
        if not re.fullmatch(form, value):
            raise BadEvent(f"{part!r}: this value of {name} is not taken")
        found[name] = value
    return found


def _rule(rule: Recurrence, begin: datetime) -> rrule:
    text = _without_zone(rule.rule, ZoneInfo(rule.time_zone))
    found = rrulestr(text, dtstart=begin)
    assert isinstance(found, rrule)  # not a set: the text is one rule
    return found


def _without_zone(text: str, zone: ZoneInfo) -> str:
    """UNTIL as a wall-clock time, as everything else here; a date includes its day."""

    def local(found: re.Match[str]) -> str:
        value = found[1]
        if "T" not in value:
            value += "T235959"
        moment = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S")
        if value.endswith("Z"):
            moment = moment.replace(tzinfo=UTC).astimezone(zone)
        return f"UNTIL={moment:%Y%m%dT%H%M%S}"

    return re.sub(r"UNTIL=([\dTZ]+)", local, text)


def _anchor(
    rule: Recurrence, begin: datetime, since: float, length: timedelta, zone: ZoneInfo
) -> datetime:
    """Where to start counting: steps of whole days or weeks need not be counted one by one."""
    parts = _parts(rule.rule)
    days = _STEP_DAYS.get(parts["FREQ"])
    if days is None or "COUNT" in parts:
        return begin
    step = timedelta(days=days * int(parts.get("INTERVAL", "1")))
    # Two more, since clocks may be set forward or back in between.
    steps = (_wall(since, zone) - length - begin) // step - 2
    return begin + max(0, steps) * step


def _span(wall: datetime, length: timedelta, zone: ZoneInfo) -> Span:
    begin, end = _epoch(wall, zone), _epoch(wall + length, zone)
    # Where the clocks skip its begin it would be shorter, or end before it begins.
    skipped = _wall(begin, zone) != wall
    return begin, begin + length.total_seconds() if skipped else max(begin, end)


def _wall(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


def _epoch(wall: datetime, zone: ZoneInfo) -> float:
    return wall.replace(tzinfo=zone).timestamp()
