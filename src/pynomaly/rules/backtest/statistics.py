"""How often and at what hours alerts fire."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pynomaly.rules.backtest.episodes import Episode
from pynomaly.rules.backtest.errors import BadBacktest
from pynomaly.rules.backtest.result import Week

_WEEK = 7 * 86_400.0


def zone(name: str) -> ZoneInfo:
    """The time zone of a name such as ``Europe/Berlin``.

    Raises:
        BadBacktest: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadBacktest(
            f"{name!r} is not a time zone.", hint="Write it like UTC or Europe/Berlin."
        ) from error


def hours(fired_at: Sequence[float], where: ZoneInfo) -> list[list[int]]:
    """Counts by weekday (Monday first) and hour of the day."""
    counts = [[0] * 24 for _ in range(7)]
    for at in fired_at:
        moment = datetime.fromtimestamp(at, where)
        counts[moment.weekday()][moment.hour] += 1
    return counts


def weeks(fired_at: Sequence[float], start: float, end: float, where: ZoneInfo) -> list[Week]:
    """Counts of every week that the range touches, those without any included."""
    counts = Counter(_monday(at, where) for at in fired_at)
    found, monday = [], _monday(start, where)
    while monday.timestamp() <= end:
        found.append(Week(start=monday.timestamp(), fired=counts[monday]))
        monday += timedelta(days=7)
    return found


def _monday(at: float, where: ZoneInfo) -> datetime:
    moment = datetime.fromtimestamp(at, where)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight - timedelta(days=moment.weekday())


def per_week(count: int, start: float, end: float) -> float:
    """Alerts a week on average; of a range shorter than a day, as if it were a day."""
    return count * _WEEK / max(end - start, 86_400.0)


def firing_seconds(found: Sequence[Episode], start: float, end: float) -> float:
    """For how long alerts fired within the range, all together."""
    return sum(
        max(min(each.ended_at or end, end) - max(each.fired_at, start), 0.0) for each in found
    )
