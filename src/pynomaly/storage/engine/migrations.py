"""Versioned schema: each area (samples, logs, …) has an ordered list of migrations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pynomaly.storage.engine.arrow import table
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.engine.errors import DataFolderUnusable

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    area String, version UInt32, name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY (area, version)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. ClickHouse has no transactions over DDL, so every statement must be repeatable
    (``IF NOT EXISTS`` and the like): a step that was cut short runs again."""

    version: int
    name: str
    statements: tuple[str, ...]


def migrate(engine: SignalEngine, area: str, migrations: Sequence[Migration]) -> list[int]:
    """Bring an area's tables to the newest version; returns the versions applied now.

    Raises:
        DataFolderUnusable: the folder was written by a newer version of the product.
        ValueError: the list's versions do not ascend from 1 without a gap.
    """
    if [m.version for m in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError(f"the migrations of {area} must be numbered from 1 without a gap")
    engine.execute(_TABLE)
    present = current_version(engine, area)
    if present > len(migrations):
        raise DataFolderUnusable(
            f"The data folder has version {present} of the {area} tables; this version of "
            f"Pynomaly knows up to {len(migrations)}.",
            hint="Use the newer version of Pynomaly that wrote it, or another --data-dir.",
        )
    for migration in migrations[present:]:
        for statement in migration.statements:
            engine.execute(statement)
        engine.insert("schema_migrations", _applied(area, migration))
    return [m.version for m in migrations[present:]]


def current_version(engine: SignalEngine, area: str) -> int:
    """The version of an area's tables; 0 before the first migration."""
    found = engine.query(
        "SELECT max(version) AS version FROM schema_migrations WHERE area = {area:String}",
        {"area": area},
    )
    return int(found["version"][0].as_py())


def _applied(area: str, migration: Migration) -> pa.Table:
    version = np.array([migration.version], dtype=np.uint32)
    return table({"area": [area], "version": version, "name": [migration.name]})
