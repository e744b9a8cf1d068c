"""Alerts that fired, by the series ``ALERTS`` that rules leave behind."""

import math
from collections.abc import Iterable, Iterator

from pynomaly.alerting.backtest.replay import PastAlert
from pynomaly.model.labels import Labels
from pynomaly.promql.contract import Matrix, Querier
from pynomaly.rules.backtest.pieces import Progress, silent

FIRING = 'ALERTS{alertstate="firing"}'
STEP = 30.0
"""Seconds between the times at which it is looked whether an alert fires."""

_POINTS = 10_000  # Prometheus answers 11,000 at most


def parts(start: float, end: float) -> Iterator[tuple[float, float]]:
    """The range in parts that a query may ask for; the next begins a step after one's end."""
    at = start
    while at <= end:
        until = min(at + (_POINTS - 1) * STEP, end)
        yield at, until
        at = until + STEP


def alerts_of(times: Iterable[tuple[Labels, Iterable[float]]], end: float) -> list[PastAlert]:
    """Alerts of the times at which series of ``ALERTS`` had a value, in any number of parts.

    What had one at the last time of the range, which ends at ``end``, fires on.
    """
    found: dict[Labels, list[float]] = {}
    for labels, some in times:
        found.setdefault(labels.without("__name__", "alertstate"), []).extend(some)
    return [alert for labels, every in found.items() for alert in _episodes(labels, every, end)]


def _episodes(labels: Labels, times: Iterable[float], end: float) -> Iterator[PastAlert]:
    began = last = math.nan
    for at in times:
        if math.isnan(began):
            began = at
        elif at - last > 1.5 * STEP:
            yield PastAlert(labels, began, last + STEP)
            began = at
        last = at
    if not math.isnan(began):
        yield PastAlert(labels, began, last + STEP if last + STEP < end else math.inf)


async def stored_alerts(
    querier: Querier, start: float, end: float, progress: Progress = silent
) -> list[PastAlert]:
    """The alerts that fired within ``[start, end]`` (epoch seconds), to within a step.

    ``progress`` is told how much of the range is read, from 0 to 1.

    Raises:
        QueryError: they cannot be read.
    """
    times: list[tuple[Labels, list[float]]] = []
    for first, last in parts(start, end):
        progress((first - start) / (end - start) if end > start else 0.0)
        step_ms = round(STEP * 1000)
        answer = await querier.range(FIRING, round(first * 1000), round(last * 1000), step_ms)
        if isinstance(answer.value, Matrix):
            times += _times(answer.value)
    return alerts_of(times, end)


def _times(matrix: Matrix) -> Iterator[tuple[Labels, list[float]]]:
    for labels, present in zip(matrix.labels, matrix.present, strict=True):
        yield labels, (matrix.timestamps[present] / 1000).tolist()
