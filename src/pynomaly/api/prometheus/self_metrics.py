"""``/api/v1/status/self_metrics``: our own metrics as JSON.

The shape is protobuf's JSON of ``io.prometheus.client.MetricFamily``, as Prometheus 3 writes it:
64-bit counts are texts, and so are numbers that JSON has none for.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

_TYPES = {
    "counter": "COUNTER",
    "gauge": "GAUGE",
    "info": "GAUGE",
    "stateset": "GAUGE",
    "summary": "SUMMARY",
    "histogram": "HISTOGRAM",
    "gaugehistogram": "GAUGE_HISTOGRAM",
}
_SUFFIXES = re.compile(r"_(bucket|count|sum|gcount|gsum|created)$")
_DISTRIBUTIONS = frozenset({"summary", "histogram", "gaugehistogram"})
_BOUNDS = ("le", "quantile")

Labels = tuple[tuple[str, str], ...]


def described(
    families: Iterable[Metric], matches: Callable[[str], bool] = lambda _: True
) -> list[dict[str, Any]]:
    """The families whose names match, by name; one without a sample does not occur."""
    found = [_family(family) for family in families]
    kept = (each for each in found if each["metric"] and matches(each["name"]))
    return sorted(kept, key=lambda each: str(each["name"]))


def _family(family: Metric) -> dict[str, Any]:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    metrics = _distributions(family) if family.type in _DISTRIBUTIONS else _numbers(family)
    return {
        "name": f"{family.name}{suffix}",
        "help": family.documentation,
        "type": _TYPES.get(family.type, "UNTYPED"),
        "metric": list(metrics),
    }


def _numbers(family: Metric) -> Iterator[dict[str, Any]]:
    kind = _TYPES.get(family.type, "UNTYPED").lower()
    for sample in family.samples:
        if not sample.name.endswith("_created") or family.type != "counter":
            labels = tuple(sorted(sample.labels.items()))
            yield {**_labels(labels), kind: {"value": _number(sample.value)}}


def _distributions(family: Metric) -> Iterator[dict[str, Any]]:
    by_labels: dict[Labels, list[Sample]] = {}
    for sample in family.samples:
        named = tuple((n, v) for n, v in sorted(sample.labels.items()) if n not in _BOUNDS)
        by_labels.setdefault(named, []).append(sample)
    key = "summary" if family.type == "summary" else "histogram"
    for labels, samples in by_labels.items():
        yield {**_labels(labels), key: _distribution(samples)}


def _distribution(samples: Iterable[Sample]) -> dict[str, Any]:
    found: dict[str, Any] = {"sampleCount": "0", "sampleSum": 0}
    for sample in samples:
        suffix = _SUFFIXES.search(sample.name)
        match suffix[1] if suffix else "quantile":
            case "count" | "gcount":
                found["sampleCount"] = str(int(sample.value))
            case "sum" | "gsum":
                found["sampleSum"] = _number(sample.value)
            case "bucket" if sample.labels["le"] != "+Inf":  # that one is the count
                bound = {"upperBound": _number(float(sample.labels["le"]))}
                count = {"cumulativeCount": str(int(sample.value))}
                found.setdefault("bucket", []).append({**count, **bound})
            case "quantile":
                quantile = {"quantile": _number(float(sample.labels["quantile"]))}
                value = {"value": _number(sample.value)}
                found.setdefault("quantile", []).append({**quantile, **value})
    return found


def _labels(labels: Labels) -> Mapping[str, Any]:
    shown = [{"name": name, "value": value} for name, value in labels]
    return {"label": shown} if shown else {}


def _number(value: float) -> float | int | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value
