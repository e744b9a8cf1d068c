"""Why a rule found nothing at all: nothing is stored, and when there would be."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from pynomaly.promql.contract import Matrix, Querier, QueryError, QueryTimeout
from pynomaly.promql.nodes import MatrixSelector, Node, VectorSelector, walk
from pynomaly.promql.printer import to_text
from pynomaly.rules.backtest.errors import NoData

_HOUR_MS = 3_600_000
_WINDOWS = tuple(hours * _HOUR_MS for hours in (1, 24, 7 * 24, 30 * 24, 400 * 24))
_STRETCHES = 24
_FINE_MS = 300_000  # where it begins or ends is said to some minutes
_TIMEOUT = 20.0


def stored_selectors(nodes: Iterable[Node]) -> list[VectorSelector]:
    """The different selectors of expressions, without offsets."""
    every = (n for node in nodes for n in walk(node) if isinstance(n, VectorSelector))
    return list(dict.fromkeys(VectorSelector(n.matchers) for n in every))


async def without_data(
    querier: Querier, selectors: Iterable[VectorSelector], start_ms: int, end_ms: int
) -> list[VectorSelector]:
    """Those that name no sample in the range."""
    missing = []
    for selector in selectors:
        try:
            found = await _present(querier, selector, end_ms, max(end_ms - start_ms, 1))
        except (QueryError, QueryTimeout):
            continue  # too much to look through is not nothing
        if not found:
            missing.append(selector)
    return missing


async def no_data(
    querier: Querier, selectors: Iterable[VectorSelector], start: float, end: float
) -> NoData:
    """The error that says what range has data instead."""
    start_ms, end_ms = round(start * 1000), round(end * 1000)
    names, hints = [], []
    for selector in selectors:
        text = to_text(selector)
        names.append(text)
        before = await _newest_before(querier, selector, start_ms)
        after = await _oldest_after(querier, selector, end_ms)
        if before is not None:
            hints.append(f"{text} has samples until about {shown(before / 1000)}.")
        if after is not None:
            hints.append(f"{text} has samples from about {shown(after / 1000)} on.")
    return NoData(
        f"nothing is stored of {', '.join(names)} from {shown(start)} to {shown(end)}.",
        hint=" ".join(hints) or "No sample of it is stored within 400 days of that, either.",
    )


def shown(at: float) -> str:
    """Epoch seconds for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


async def _newest_before(querier: Querier, selector: VectorSelector, at_ms: int) -> int | None:
    for window in _WINDOWS:
        found = await _stretches(querier, selector, at_ms - window, at_ms)
        while found and window > _FINE_MS * _STRETCHES:
            window //= _STRETCHES
            newest = found[-1]
            found = await _stretches(querier, selector, newest - window, newest) or [newest]
        if found:
            return found[-1]
    return None


async def _oldest_after(querier: Querier, selector: VectorSelector, at_ms: int) -> int | None:
    for window in _WINDOWS:
        found = await _stretches(querier, selector, at_ms, at_ms + window)
        while found and window > _FINE_MS * _STRETCHES:
            window //= _STRETCHES
            oldest = found[0]
            found = await _stretches(querier, selector, oldest - window, oldest) or [oldest]
        if found:
            return found[0] - window // _STRETCHES
    return None


async def _stretches(
    querier: Querier, selector: VectorSelector, start_ms: int, end_ms: int
) -> list[int]:
    """The ends of those of ``_STRETCHES`` parts of a range in which there is a sample."""
    width = (end_ms - start_ms) // _STRETCHES
    try:
        if not await _present(querier, selector, end_ms, end_ms - start_ms):
            return []
        expr = _count(selector, width)
        answer = await querier.range(expr, start_ms + width, end_ms, width, timeout=_TIMEOUT)
    except (QueryError, QueryTimeout):
        return []
    found = answer.value
    if not isinstance(found, Matrix) or not len(found):
        return []
    return [int(at) for at in found.timestamps[np.flatnonzero(found.present.any(axis=0))]]


async def _present(querier: Querier, selector: VectorSelector, end_ms: int, width_ms: int) -> bool:
    answer = await querier.instant(_count(selector, width_ms), end_ms, timeout=_TIMEOUT)
    return isinstance(answer.value, Matrix) and len(answer.value) > 0


def _count(selector: VectorSelector, width_ms: int) -> str:
    return f"count(last_over_time({to_text(MatrixSelector(selector, width_ms))}))"
