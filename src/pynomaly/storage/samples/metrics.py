"""Every metric of the sample store."""

import math
import shutil
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

INGESTED = Counter(
    "pynomaly_ingested_samples", "Samples stored for good, of every source.", registry=REGISTRY
)
REFUSED = Counter(
    "pynomaly_refused_samples",
    "Samples that were not stored, by reason.",
    ["reason"],
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "pynomaly_commit_duration_seconds",
    "How long a group commit took, from resolving its series to its place in the log or engine.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
COMMIT_FAILURES = Counter(
    "pynomaly_commit_failures", "Group commits that failed.", ["reason"], registry=REGISTRY
)
PENDING = Gauge(
    "pynomaly_pending_samples", "Samples that wait for their commit.", registry=REGISTRY
)
HEAD = Gauge(
    "pynomaly_head_samples",
    "Samples that are stored in the log and not in the engine's tables yet.",
    registry=REGISTRY,
)
FLUSH_SECONDS = Histogram(
    "pynomaly_flush_duration_seconds",
    "How long it took to hand the samples of the log to the engine.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
FLUSH_FAILURES = Counter(
    "pynomaly_flush_failures",
    "Times the engine did not take the samples of the log; they stay in it, and can be read.",
    registry=REGISTRY,
)
SERIES = Gauge("pynomaly_series", "Series in the index.", registry=REGISTRY)
BYTES = Gauge(
    "pynomaly_storage_bytes",
    "Bytes on disk, by table; renewed when retention is enforced and when asked for.",
    ["table"],
    registry=REGISTRY,
)
LIMIT = Gauge(
    "pynomaly_storage_limit_bytes",
    "What samples may take on disk before the oldest days go; 0 is no limit.",
    registry=REGISTRY,
)
DISK_SIZE = Gauge(
    "pynomaly_storage_disk_size_bytes",
    "Size of the file system that holds the data folder.",
    registry=REGISTRY,
)
DISK_AVAIL = Gauge(
    "pynomaly_storage_disk_avail_bytes",
    "What is left of the file system that holds the data folder.",
    registry=REGISTRY,
)
DROPPED_DAYS = Counter(
    "pynomaly_retention_dropped_days",
    "Days of samples removed, by what they exceeded (age, size).",
    ["cause"],
    registry=REGISTRY,
)
DUPLICATE_READS = Counter(
    "pynomaly_duplicate_reads",
    "Reads that met duplicates which are not merged yet and were repeated to resolve them.",
    registry=REGISTRY,
)
MEMORY_SECONDS = Gauge(
    "pynomaly_memory_reach_seconds",
    "How far back samples are in memory; queries that look back further ask the engine.",
    registry=REGISTRY,
)
SELECTIONS = Counter(
    "pynomaly_selections",
    "Selections of samples, by what answered them (memory, engine).",
    ["source"],
    registry=REGISTRY,
)
FROM_MEMORY, FROM_ENGINE = (SELECTIONS.labels(source) for source in ("memory", "engine"))


def watch_disk(data_dir: Path) -> None:
    """Show the file system of a data folder; NaN when it cannot be asked."""
    DISK_SIZE.set_function(lambda: _disk(data_dir)[0])
    DISK_AVAIL.set_function(lambda: _disk(data_dir)[1])


def _disk(data_dir: Path) -> tuple[float, float]:
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError:  # the folder is gone, as after a test
        return math.nan, math.nan
    return float(usage.total), float(usage.free)
