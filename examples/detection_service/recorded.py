"""What the recording rules of ``rules.yml`` would have given, from what the series rose by."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Key = tuple[tuple[str, str], ...]
Column = NDArray[np.float64]

_PREFIX = "detection_service"


def recorded(steps: Mapping[Key, Column], seconds: float, size: int) -> dict[Key, Column]:
    """The recorded series; ``steps``: by how much each series rose, every ``seconds`` seconds."""

    def total(name: str, **wanted: str) -> Column:
        found = [v for key, v in steps.items() if _is(dict(key), name, wanted)]
        return np.sum(found, axis=0) if found else np.zeros(size)

    requests = total("http_requests_total")
    errors = np.zeros(size)
    for key, added in steps.items():
        labels = dict(key)
        if labels["__name__"] == "http_requests_total" and labels["status"].startswith("5"):
            errors += added
    values = {
        "requests:rate30s": requests / seconds,
        "errors:ratio30s": _divided(errors, requests),
        "latency_seconds:p95_30s": _quantile(0.95, _buckets(steps), size),
        "db_query_seconds:mean30s": _divided(
            total("db_query_duration_seconds_sum"), total("db_query_duration_seconds_count")
        ),
        "auth_failures:rate30s": total("auth_failures_total") / seconds,
        "readings:rate30s": total("data_processed_records_total") / seconds,
    }
    return {(("__name__", f"{_PREFIX}:{name}"),): value for name, value in values.items()}


def _is(labels: Mapping[str, str], name: str, wanted: Mapping[str, str]) -> bool:
    return labels["__name__"] == name and all(labels.get(n) == v for n, v in wanted.items())


def _divided(parts: Column, whole: Column) -> Column:
    return np.divide(parts, whole, out=np.zeros_like(whole), where=whole > 0)


def _buckets(steps: Mapping[Key, Column]) -> dict[float, Column]:
    """By upper bound, how many requests took at most that long."""
    found: dict[float, Column] = {}
    for key, added in steps.items():
        labels = dict(key)
        if labels["__name__"] == "http_request_duration_seconds_bucket":
            bound = float(labels["le"].replace("+Inf", "inf"))
            found[bound] = found.get(bound, 0.0) + added
    return dict(sorted(found.items()))


def _quantile(share: float, buckets: Mapping[float, Column], size: int) -> Column:
    """As PromQL's ``histogram_quantile``: by a straight line within the bucket of the rank."""
    if not buckets:
        return np.zeros(size)
    bounds = np.array([*buckets])
    counts = np.column_stack(list(buckets.values()))
    rank = share * counts[:, -1]
    place = np.minimum((counts < rank[:, np.newaxis]).sum(axis=1), len(bounds) - 2)
    lower = np.where(place > 0, bounds[place - 1], 0.0)
    rows = np.arange(size)
    below = np.where(place > 0, counts[rows, place - 1], 0.0)
    inside = _divided(rank - below, counts[rows, place] - below)
    value: Column = lower + (bounds[place] - lower) * np.clip(inside, 0.0, 1.0)
    return value
