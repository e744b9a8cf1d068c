"""Figures about the sample store, for pages and operators."""

from dataclasses import dataclass

from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples import metrics


@dataclass(frozen=True, slots=True)
class StoreStats:
    """``samples`` are the rows stored, duplicates that are not merged yet included; ``bytes`` is
    what they take on disk, ``all_bytes`` with series and metadata. ``newest_ms`` and
    ``oldest_day_ms`` are milliseconds since the epoch, 0 without samples."""

    series: int
    samples: int
    bytes: int
    all_bytes: int
    parts: int
    days: int
    pending_samples: int
    last_commit_seconds: float
    newest_ms: int
    oldest_day_ms: int

    @property
    def bytes_per_sample(self) -> float:
        """Bytes on disk for one sample; 0 without samples."""
        return self.bytes / self.samples if self.samples else 0.0


@dataclass(frozen=True, slots=True)
class TableSize:
    """Of one table: rows, bytes on disk, parts."""

    rows: int = 0
    bytes: int = 0
    parts: int = 0


def table_sizes(engine: SignalEngine) -> dict[str, TableSize]:
    """The size of every table that has rows; renews ``pynomaly_storage_bytes``."""
    found = engine.query(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts"
        " FROM system.parts WHERE database = currentDatabase() AND active GROUP BY table"
    )
    sizes = {r["table"]: TableSize(r["rows"], r["bytes"], r["parts"]) for r in found.to_pylist()}
    for table, size in sizes.items():
        metrics.BYTES.labels(table).set(size.bytes)
    return sizes
