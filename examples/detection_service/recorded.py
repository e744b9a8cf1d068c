"""What recording rules would have given, from what the series rose by.

Those of ``rules.yml``, and those of the shipped rules over which error budgets are summed up: a
budget of days that has seen but a minute would be gone with the first errors.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Key = tuple[tuple[str, str], ...]
Column = NDArray[np.float64]


def recorded(steps: Mapping[Key, Column], seconds: float, size: int) -> dict[Key, Column]:
    """The recorded series; ``steps``: by how much each series rose, every ``seconds`` seconds."""

    def total(name: str, status: str = "") -> Column:
        found = [
            added
            for labels, added in ((dict(key), added) for key, added in steps.items())
            if labels["__name__"] == name and labels.get("status", "").startswith(status)
        ]
        return np.sum(found, axis=0) if found else np.zeros(size)

    requests = total("http_requests_total")
    errors = total("http_requests_total", status="5")
    values = {
        "job:http_requests:rate5m": requests / seconds,
        "job:http_request_errors:rate5m": errors / seconds,
        "detection_service:requests:rate30s": requests / seconds,
        "detection_service:errors:ratio30s": _divided(errors, requests),
        "detection_service:latency_seconds:p95_30s": _quantile(0.95, _buckets(steps), size),
        "detection_service:db_query_seconds:mean30s": _divided(
            total("db_query_duration_seconds_sum"), total("db_query_duration_seconds_count")
        ),
        "detection_service:auth_failures:rate30s": total("auth_failures_total") / seconds,
        "detection_service:readings:rate30s": total("data_processed_records_total") / seconds,
    }
    return {(("__name__", name),): value for name, value in values.items()}


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
