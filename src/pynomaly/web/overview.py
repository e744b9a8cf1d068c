"""What the overview shows: the host, and the product."""

from typing import Any

_CPU = '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'
_MEMORY = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
_DISK = (
    'max by (instance, mountpoint) (1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|'
    'squashfs|ramfs"} / node_filesystem_size_bytes)'
)
_RECEIVED = (
    'sum by (instance) (rate(node_network_receive_bytes_total{device!="lo"}[$__rate_interval]))'
)
_SENT = (
    'sum by (instance) (rate(node_network_transmit_bytes_total{device!="lo"}[$__rate_interval]))'
)
_READ = "sum by (instance) (rate(node_disk_read_bytes_total[$__rate_interval]))"
_STORED = 'sum by (job) (rate(pynomaly_ingested_samples_total{job="pynomaly"}[$__rate_interval]))'
_ANSWERED = (
    "histogram_quantile(%s, sum by (le) "
    '(rate(pynomaly_query_duration_seconds_bucket{job="pynomaly"}[$__rate_interval])))'
)
_WRITTEN = "sum by (instance) (rate(node_disk_written_bytes_total[$__rate_interval]))"

Panel = dict[str, Any]


def _query(expr: str, legend: str = "") -> dict[str, str]:
    return {"expr": expr, "legend": legend}


def _tile(name: str, title: str, expr: str, unit: str, **more: Any) -> Panel:
    return {"id": name, "title": title, "queries": [_query(expr)], "unit": unit, **more}


HOST_TILES: list[Panel] = [
    _tile("t-cpu", "CPU busy", f"max({_CPU})", "ratio", warn=0.85, crit=0.95),
    _tile("t-memory", "Memory used", f"max({_MEMORY})", "ratio", warn=0.85, crit=0.95),
    _tile("t-disk", "Fullest disk", f"max({_DISK})", "ratio", warn=0.85, crit=0.95),
    _tile(
        "t-load",
        "Load per CPU",
        'max(node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode="idle"}))',
        "",
        warn=1.5,
        crit=4,
    ),
]

CHARTS: list[Panel] = [
    {
        "id": "cpu",
        "title": "CPU busy",
        "queries": [_query(_CPU, "{{instance}}")],
        "unit": "ratio",
        "zero": True,
        "marks": True,
    },
    {
        "id": "memory",
        "title": "Memory used",
        "queries": [_query(_MEMORY, "{{instance}}")],
        "unit": "ratio",
        "zero": True,
        "marks": True,
    },
    {
        "id": "network",
        "title": "Network",
        "queries": [_query(_RECEIVED, "{{instance}} received"), _query(_SENT, "{{instance}} sent")],
        "unit": "B/s",
        "zero": True,
    },
    {
        "id": "disk-io",
        "title": "Disk reads and writes",
        "queries": [_query(_READ, "{{instance}} read"), _query(_WRITTEN, "{{instance}} written")],
        "unit": "B/s",
        "zero": True,
    },
    {
        "id": "disk-used",
        "title": "Filesystems used",
        "queries": [_query(_DISK, "{{instance}} {{mountpoint}}")],
        "unit": "ratio",
        "zero": True,
        "thresholds": [{"value": 0.9, "label": "90 %"}],
    },
    {
        "id": "load",
        "title": "Load, 1 min",
        "queries": [_query("node_load1", "{{instance}}")],
        "unit": "",
        "zero": True,
    },
    {
        "id": "ingest",
        "title": "Samples stored a second",
        "queries": [_query(_STORED, "stored")],
        "unit": "",
        "zero": True,
    },
    {
        "id": "latency",
        "title": "Answering a query",
        "queries": [_query(_ANSWERED % "0.5", "median"), _query(_ANSWERED % "0.95", "95 of 100")],
        "unit": "s",
        "zero": True,
    },
]

ANOMALIES: Panel = {
    "id": "anomalies",
    "kind": "table",
    "queries": [
        _query("topk(6, anomaly_score >= 0.6)"),
        _query("sum(pynomaly_detection_judged_series)"),
        _query("count(anomaly_score >= 0.6)"),
    ],
}
