"""What was pending and firing before a restart, read back from ``ALERTS_FOR_STATE``."""

import re
from collections.abc import Iterable

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.contract import Matrix, Querier, QueryError
from pynomaly.rules.evaluate import FOR_STATE
from pynomaly.rules.state import Seed

OUTAGE_TOLERANCE = 3600
"""Seconds; what was last seen longer ago than this is not taken up again."""

_LONGEST_DELAY = 30.0
"""Seconds, at most half an interval, in which an evaluation that was due has been written."""

_MOST_PROBES = 30
"""Moments at which it is looked whether series had ended; normally one or two."""


async def read_seeds(
    querier: Querier, alert_names: Iterable[str], now: float, interval: float
) -> dict[Labels, Seed]:
    """The alerts of these names that were active when evaluation stopped, by their labels.

    An alert that ended is followed by a staleness marker, one whose evaluation stopped is not:
    its series goes on for the lookback time. So a series that is still there when the next
    evaluation should have been (or is there now) was active to the end. No server shows the
    markers themselves; all of them look back at least a few intervals from a single moment.

    Raises:
        QueryError, QueryTimeout, PeerAway: the series cannot be read now.
    """
    # Names go into a PromQL string, in which a backslash is doubled.
    names = "|".join(sorted({re.escape(n) for n in alert_names})).replace("\\", "\\\\")
    selector = FOR_STATE + '{alertname=~"' + names.replace('"', '\\"') + '"}'
    end = round(now * 1000)
    found = (await querier.instant(f"{selector}[{OUTAGE_TOLERANCE}s]", end)).value
    if not isinstance(found, SeriesSamples):
        raise QueryError("a range selector did not give samples")
    seeds: dict[Labels, Seed] = {}
    for moment, candidates in _by_moment(found, end, interval).items():
        there = (await querier.instant(selector, moment)).value
        if isinstance(there, Matrix):
            present = {labels.without(METRIC_NAME) for labels in there.labels}
            seeds |= {each: seed for each, seed in candidates.items() if each in present}
    return seeds


def _by_moment(found: SeriesSamples, end_ms: int, interval: float) -> dict[int, dict[Labels, Seed]]:
    """The last sample of each series, by the moment at which to look whether it had ended."""
    moments: dict[int, dict[Labels, Seed]] = {}
    ends = found.offsets[1:] - 1
    following = round(1000 * (interval + min(interval / 2, _LONGEST_DELAY)))
    rows = zip(found.labels, found.ts[ends].tolist(), found.values[ends].tolist(), strict=True)
    for labels, last_ms, active_at in rows:
        moment = min(end_ms, last_ms + following)
        seed = Seed(active_at, last_ms / 1000)
        moments.setdefault(moment, {})[labels.without(METRIC_NAME)] = seed
    return {moment: moments[moment] for moment in sorted(moments, reverse=True)[:_MOST_PROBES]}
