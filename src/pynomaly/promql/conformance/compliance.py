"""The queries of prometheus/compliance, answered by a reference and by us on the same series."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from pynomaly.model.document import ConfigError
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import SampleBatch, SeriesSamples
from pynomaly.promql.conformance.runner import Target, Verdict
from pynomaly.promql.contract import Matrix, Querier, QueryResult, Scalar

TOLERANCE = 1e-5
"""The relative difference that counts as none."""

RANGE_MS = 600_000
STEP_MS = 10_000
_OFF_THE_GRID_MS = 137
"""Evaluation times have this fraction of a second, so that no sample lies on a window's edge."""
_BEFORE_MS = 4_500_000  # the longest window and offset of the queries, and the lookback
_AFTER_MS = 600_000  # the longest negative offset

# What the placeholders of the queries stand for (prometheus/compliance, promql/testcases).
_ARITHMETIC = ("+", "-", "*", "/", "%", "^")
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
_PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "range": ("1s", "15s", "1m", "5m", "15m", "1h"),
    "offset": ("1m", "5m", "10m"),
    "simpleAggrOp": ("sum", "avg", "max", "min", "count", "stddev", "stdvar"),
    "simpleTimeAggrOp": (
        *("sum", "avg", "max", "min", "count", "stddev", "stdvar", "absent", "last"),
    ),
    "topBottomOp": ("topk", "bottomk"),
    "quantile": ("-0.5", "0.1", "0.5", "0.75", "0.95", "0.90", "0.99", "1", "1.5"),
    "arithBinOp": _ARITHMETIC,
    "compBinOp": _COMPARISONS,
    "binOp": (*_ARITHMETIC, *_COMPARISONS),
    "simpleMathFunc": ("abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "round"),
    "extrapolatedRateFunc": ("delta", "rate", "increase"),
    "clampFunc": ("clamp_min", "clamp_max"),
    "instantRateFunc": ("idelta", "irate"),
    "dateFunc": (
        *("day_of_month", "day_of_week", "days_in_month", "hour", "minute", "month", "year"),
    ),
    "smoothingFactor": ("0.1", "0.5", "0.8"),
    "trendFactor": ("0.1", "0.5", "0.8"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression that both must answer, or both refuse.

    ``must_fail`` is what the file says; a reference of a later version may answer it after all.
    """

    expr: str
    must_fail: bool = False
    compare: bool = True


def load_queries(text: str, source: str) -> list[Query]:
    """Every query of a file of test cases, its variants written out.

    Raises:
        ConfigError: it is not such a file.
    """
    try:
        cases = yaml.safe_load(text)["test_cases"]
        return [query for case in cases for query in _variants(case)]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{source} does not hold test cases of prometheus/compliance: {error}",
            hint="It is promql/promql-test-queries.yml in that repository.",
        ) from error


def _variants(case: Mapping[str, Any]) -> Iterator[Query]:
    names = case.get("variant_args") or []
    for values in itertools.product(*(_PLACEHOLDERS[name] for name in names)):
        expr = str(case["query"])
        for name, value in zip(names, values, strict=True):
            expr = expr.replace("{{." + name + "}}", value)
        yield Query(expr, bool(case.get("should_fail")), not case.get("skip_comparison"))


def end_before(at_ms: int) -> int:
    """The end of the comparison for the newest time of the reference's data."""
    return (at_ms - _AFTER_MS) // STEP_MS * STEP_MS + _OFF_THE_GRID_MS


async def copy_series(
    reference: Querier, metrics: Sequence[str], target: Target, end_ms: int
) -> int:
    """Copy what the queries can reach of each metric; returns the number of samples.

    Staleness markers are not there to be copied: compare on series that do not end meanwhile.
    """
    until = end_ms + _AFTER_MS
    window = until - (end_ms - RANGE_MS - _BEFORE_MS)
    copied = 0
    for metric in metrics:
        expr = f'{{__name__="{metric}"}}[{window}ms]'
        value = (await reference.instant(expr, until)).value
        if isinstance(value, SeriesSamples) and len(value):
            copied += (await target.append(_batch(value))).stored
    return copied


def _batch(samples: SeriesSamples) -> SampleBatch:
    ids = np.array([series_id(labels) for labels in samples.labels], dtype=np.uint64)
    each = np.repeat(ids, np.diff(samples.offsets))
    labels = dict(zip(ids.tolist(), samples.labels, strict=True))
    return SampleBatch(each, samples.ts, samples.values, labels)


async def compare(
    queries: Sequence[Query], reference: Querier, target: Target, end_ms: int
) -> AsyncIterator[Verdict]:
    """Ask both each query over ten minutes; a verdict for each."""
    for number, query in enumerate(queries, 1):
        wanted = await _answer(reference, query.expr, end_ms)
        found = await _answer(target.querier, query.expr, end_ms)
        yield Verdict("compliance", number, query.expr, _difference(query, wanted, found))


async def _answer(querier: Querier, expr: str, end_ms: int) -> QueryResult | PynomalyError:
    try:
        return await querier.range(expr, end_ms - RANGE_MS, end_ms, STEP_MS)
    except PynomalyError as error:
        return error


def _difference(
    query: Query, wanted: QueryResult | PynomalyError, found: QueryResult | PynomalyError
) -> str:
    if isinstance(wanted, PynomalyError):
        if not isinstance(found, PynomalyError):
            return f"only the reference fails: {wanted}"
        return "" if query.must_fail else f"both fail; the reference says: {wanted}"
    if isinstance(found, PynomalyError):
        return f"only ours fails: {found}"
    return _compared(_rows(wanted), _rows(found)) if query.compare else ""


Rows = dict[Labels, "np.typing.NDArray[np.float64]"]


def _rows(result: QueryResult) -> tuple[Rows, Rows]:
    """The values of each series at each step, and where it has one."""
    match result.value:
        case Matrix(labels, _, values, present):
            shown = np.where(present, values, 0.0)
            return dict(zip(labels, shown, strict=True)), dict(zip(labels, present, strict=True))
        case Scalar(_, values):
            return {Labels(): values}, {Labels(): np.ones(len(values))}
    raise TypeError("a range query gives a matrix or a scalar")


def _compared(wanted: tuple[Rows, Rows], found: tuple[Rows, Rows]) -> str:
    missing = sorted(map(str, wanted[0].keys() - found[0].keys()))
    besides = sorted(map(str, found[0].keys() - wanted[0].keys()))
    if missing or besides:
        return f"lacks {missing[:3]}, has besides {besides[:3]}"
    for labels, values in wanted[0].items():
        ours = found[0][labels]
        if not np.array_equal(wanted[1][labels], found[1][labels]):
            return f"{labels}: not at the same steps"
        same = np.isclose(ours, values, rtol=TOLERANCE, atol=0, equal_nan=True)
        if not same.all():
            step = int(np.flatnonzero(~same)[0])
            return f"{labels} at step {step}: found {ours[step]!r}, wanted {values[step]!r}"
    return ""
