"""OTLP's JSON over HTTP, for metrics and logs.

Source: opentelemetry.io/docs/specs/otlp (OTLP/HTTP, "JSON Protobuf Encoding": 64-bit integers are
strings, ids are hexadecimal) and opentelemetry-proto's field names. Written by hand it needs no
library, so the base install can deliver.
"""

import datetime as dt
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from prometheus_client import Metric
from prometheus_client.samples import Exemplar, Sample

from pynomaly.observability.resource import (
    environment_name,
    resource_attributes,
    service_name,
)

_SCOPE = {"name": "pynomaly.observability"}
_CUMULATIVE = 2

# Severity numbers of the logs data model.
_SEVERITY = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_OWN_FIELDS = frozenset(["event", "level", "@timestamp", "trace_id", "span_id", "trace_flags"])


def endpoint_of(
    signal: str, endpoint: str | None, headers: Mapping[str, str] | None
) -> tuple[str, dict[str, str]]:
    """The URL and headers of a signal (``metrics``, ``logs``, ``traces``).

    What is given wins; else ``OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT``, taken as it is, or
    ``OTEL_EXPORTER_OTLP_ENDPOINT`` with ``/v1/<signal>`` after it, as OTLP's specification says.
    """
    prefix = "OTEL_EXPORTER_OTLP_"
    own = os.environ.get(f"{prefix}{signal.upper()}_ENDPOINT")
    base = endpoint or os.environ.get(f"{prefix}ENDPOINT") or "http://localhost:4318"
    path = f"/v1/{signal}"
    url = base if base.endswith(path) else base.rstrip("/") + path
    given = os.environ.get(f"{prefix}{signal.upper()}_HEADERS") or os.environ.get(
        f"{prefix}HEADERS", ""
    )
    pairs = (pair.partition("=") for pair in given.split(",") if "=" in pair)
    sent = {key.strip(): unquote(value.strip()) for key, _, value in pairs}
    url = own if own and not endpoint else url
    return url, {**sent, **(headers or {}), "Content-Type": "application/json"}


def resource() -> dict[str, Any]:
    """The resource of everything that this process sends."""
    attributes: dict[str, Any] = {**resource_attributes(), "service.name": service_name()}
    if environment_name():
        attributes["deployment.environment.name"] = environment_name()
    return {"attributes": attributes_of(attributes)}


def attributes_of(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """OTLP's list of keys and values."""
    return [{"key": str(key), "value": any_value(value)} for key, value in attributes.items()]


def any_value(value: Any) -> dict[str, Any]:
    """One value in OTLP's typed form."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": number(value)}
        case list() | tuple():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": attributes_of(value)}}
        case None:
            return {}
        case _:
            return {"stringValue": str(value)}


def number(value: float) -> float | str:
    """A double in protobuf's JSON, where NaN and the infinities are strings."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def logs_request(lines: Iterable[str]) -> bytes:
    """An ExportLogsServiceRequest of JSON lines as ``configure_logging`` writes them."""
    records = [_log_record(json.loads(line)) for line in lines]
    scope = {"scope": _SCOPE, "logRecords": records}
    return _encoded({"resourceLogs": [{"resource": resource(), "scopeLogs": [scope]}]})


def _log_record(event: dict[str, Any]) -> dict[str, Any]:
    level = str(event.get("level", "info"))
    record = {
        "timeUnixNano": str(_nanoseconds(event.get("@timestamp"))),
        "severityNumber": _SEVERITY.get(level, 9),
        "severityText": level.upper(),
        "body": any_value(event.get("event", "")),
        "attributes": attributes_of({k: v for k, v in event.items() if k not in _OWN_FIELDS}),
    }
    if "trace_id" in event:
        record["traceId"], record["spanId"] = event["trace_id"], event.get("span_id", "")
        record["flags"] = int(str(event.get("trace_flags", "0")), 16)
    return record


def _nanoseconds(stamp: Any) -> int:
    try:
        moment = dt.datetime.fromisoformat(str(stamp))
    except ValueError:
        return time.time_ns()
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1000


def metrics_request(families: Iterable[Metric], now_ns: int, labels: Mapping[str, str]) -> bytes:
    """An ExportMetricsServiceRequest of a registry's families; ``labels`` go on every point."""
    metrics = [m for family in families for m in _metrics(family, str(now_ns), labels)]
    scope = {"scope": _SCOPE, "metrics": metrics}
    return _encoded({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [scope]}]})


def _metrics(family: Metric, now: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    described = {"name": family.name, "description": family.documentation}
    starts = _starts(family.samples)
    if family.type == "histogram":
        points = _histogram_points(family.samples, now, labels, starts)
        data = {"dataPoints": points, "aggregationTemporality": _CUMULATIVE}
        return [{**described, "histogram": data}]
    shown = [s for s in family.samples if not s.name.endswith("_created")]
    if family.type == "counter":
        points = [_point(s, now, labels, starts) for s in shown]
        total = {"dataPoints": points, "aggregationTemporality": _CUMULATIVE, "isMonotonic": True}
        return [{**described, "name": f"{family.name}_total", "sum": total}]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for sample in shown:
        by_name.setdefault(sample.name, []).append(_point(sample, now, labels, {}))
    return [
        {**described, "name": name, "gauge": {"dataPoints": points}}
        for name, points in by_name.items()
    ]


def _starts(samples: Sequence[Sample]) -> dict[tuple[tuple[str, str], ...], str]:
    """When each series began, from its ``_created`` sample, in nanoseconds."""
    created = (s for s in samples if s.name.endswith("_created"))
    return {tuple(sorted(s.labels.items())): str(int(s.value * 1e9)) for s in created}


def _point(
    sample: Sample,
    now: str,
    labels: Mapping[str, str],
    starts: Mapping[tuple[tuple[str, str], ...], str],
) -> dict[str, Any]:
    point: dict[str, Any] = {
        "attributes": attributes_of({**sample.labels, **labels}),
        "timeUnixNano": now,
        "asDouble": number(sample.value),
    }
    if sample.exemplar is not None:
        point["exemplars"] = [_exemplar(sample.exemplar, now)]
    start = starts.get(tuple(sorted(sample.labels.items())))
    return {**point, "startTimeUnixNano": start} if start else point


def _exemplar(exemplar: Exemplar, now: str) -> dict[str, Any]:
    """The trace's ids have fields of their own; other labels are attributes."""
    labels = dict(exemplar.labels)
    ids = {"traceId": labels.pop("trace_id", ""), "spanId": labels.pop("span_id", "")}
    return {
        **ids,
        "filteredAttributes": attributes_of(labels),
        "timeUnixNano": str(int(float(exemplar.timestamp) * 1e9)) if exemplar.timestamp else now,
        "asDouble": number(exemplar.value),
    }


def _histogram_points(
    samples: Sequence[Sample],
    now: str,
    labels: Mapping[str, str],
    starts: Mapping[tuple[tuple[str, str], ...], str],
) -> list[dict[str, Any]]:
    series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in samples:
        own = {k: v for k, v in sample.labels.items() if k != "le"}
        key = tuple(sorted(own.items()))
        held = series.setdefault(key, {"labels": own, "cumulative": [], "exemplars": []})
        if sample.exemplar is not None:
            held["exemplars"].append(_exemplar(sample.exemplar, now))
        if sample.name.endswith("_bucket"):
            held["cumulative"].append((float(sample.labels["le"]), int(sample.value)))
        elif sample.name.endswith(("_sum", "_count")):
            held[sample.name.rsplit("_", 1)[-1]] = sample.value
    return [_histogram_point(held, now, labels, starts.get(key)) for key, held in series.items()]


def _histogram_point(
    held: Mapping[str, Any], now: str, labels: Mapping[str, str], start: str | None
) -> dict[str, Any]:
    cumulative = sorted(held["cumulative"])
    counts = [count for _, count in cumulative]
    own = [count - before for count, before in zip(counts, [0, *counts], strict=False)]
    point: dict[str, Any] = {
        "attributes": attributes_of({**held["labels"], **labels}),
        "timeUnixNano": now,
        "count": str(int(held.get("count", counts[-1] if counts else 0))),
        "bucketCounts": [str(count) for count in own],
        "explicitBounds": [bound for bound, _ in cumulative if math.isfinite(bound)],
        "exemplars": held["exemplars"],
    }
    if "sum" in held:
        point["sum"] = number(held["sum"])
    return {**point, "startTimeUnixNano": start} if start else point


def _encoded(request: Mapping[str, Any]) -> bytes:
    return json.dumps(request, separators=(",", ":")).encode()
