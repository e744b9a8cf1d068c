"""What was pending and firing before a restart, read back from ``ALERTS_FOR_STATE``."""

import re
from collections.abc import Iterable

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.promql.contract import Matrix, Querier
from pynomaly.rules.evaluate import FOR_STATE
from pynomaly.rules.state import Seed

OUTAGE_TOLERANCE = 3600
"""Seconds; what was last seen longer ago than this is not taken up again."""

_LONGEST_STEP_MS = 60_000  # short enough for any lookback
_SHORTEST_STEP_MS = 1_000


async def read_seeds(
    querier: Querier, alert_names: Iterable[str], now: float, interval: float
) -> dict[Labels, Seed]:
    """The alerts of these names that were active when evaluation stopped, by their labels.

    An alert that ended is followed by a staleness marker, one whose evaluation stopped is not:
    its series goes on for the lookback time. So a series that is there later than one interval
    after its last sample (or is there now) was active to the end.

    Raises:
        QueryError, QueryTimeout: the series cannot be read now.
    """
    # Names go into a PromQL string, in which a backslash is doubled.
    names = "|".join(sorted({re.escape(n) for n in alert_names})).replace("\\", "\\\\")
    selector = FOR_STATE + '{alertname=~"' + names.replace('"', '\\"') + '"}'
    end = round(now * 1000)
    start = end - OUTAGE_TOLERANCE * 1000
    # Not longer than the interval: a server's lookback may be a few intervals only.
    step = min(max(round(interval * 1000), _SHORTEST_STEP_MS), _LONGEST_STEP_MS)
    values = (await querier.range(selector, start, end, step)).value
    if not isinstance(values, Matrix) or not len(values):
        return {}
    times = (await querier.range(f"timestamp({selector})", start, end, step)).value
    if not isinstance(times, Matrix):
        return {}
    seen = dict(zip((_bare(labels) for labels in times.labels), times.values, strict=True))
    seeds: dict[Labels, Seed] = {}
    steps = values.timestamps / 1000
    for row, labels in enumerate(map(_bare, values.labels)):
        last = int(np.flatnonzero(values.present[row])[-1])
        last_seen = float(seen[labels][last])
        if last == len(steps) - 1 or steps[last] - last_seen > interval:
            seeds[labels] = Seed(float(values.values[row, last]), last_seen)
    return seeds


def _bare(labels: Labels) -> Labels:
    return labels.without(METRIC_NAME)
