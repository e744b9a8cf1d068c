"""Which series a chart shows, and how they are called in its legend."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels

_PLACEHOLDER = re.compile(r"\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}")


def top_rows(values: NDArray[np.float64], limit: int) -> list[int]:
    """The rows with the greatest mean of their finite values, the greatest first.

    ``values`` is ``[series, steps]`` with NaN where there is nothing. All rows in
    their own order when there are at most ``limit``.
    """
    count = len(values)
    if count <= limit:
        return list(range(count))
    finite = np.isfinite(values)
    sums = np.where(finite, values, 0.0).sum(axis=1)
    seen = finite.sum(axis=1)
    means = np.where(seen > 0, sums / np.maximum(seen, 1), -np.inf)
    return [int(i) for i in np.argsort(-means, kind="stable")[:limit]]


def legend_names(labels: Sequence[Labels], template: str = "", fallback: str = "") -> list[str]:
    """A short name for each series: what tells it apart from the others.

    ``template`` may hold ``{{label}}``. Without one, labels that all series share are left out;
    ``fallback`` names a series of which then nothing is left (usually the expression).

    >>> one = Labels({"__name__": "up", "job": "a", "zone": "x"})
    >>> legend_names([one, one.with_(job="b")])
    ['job=a', 'job=b']
    """
    if template:
        return [_fill(template, each) or fallback for each in labels]
    shared = _shared(labels) if len(labels) > 1 else frozenset()
    return [_distinct(each, shared) or fallback or each.name or "value" for each in labels]


def _fill(template: str, labels: Labels) -> str:
    return _PLACEHOLDER.sub(lambda match: labels.get(match[1], ""), template).strip()


def _shared(labels: Sequence[Labels]) -> frozenset[tuple[str, str]]:
    shared = set(labels[0].pairs)
    for each in labels[1:]:
        shared.intersection_update(each.pairs)
    return frozenset(shared)


def _distinct(labels: Labels, shared: frozenset[tuple[str, str]]) -> str:
    name = [v for n, v in labels.pairs if n == METRIC_NAME and (n, v) not in shared]
    rest = [f"{n}={v}" for n, v in labels.pairs if n != METRIC_NAME and (n, v) not in shared]
    return " ".join([*name, *rest])
