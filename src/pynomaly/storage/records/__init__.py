"""Relational state: SQLite in the data folder, or PostgreSQL; one schema, one contract suite."""

from pynomaly.storage.records.config import RecordsSettings
from pynomaly.storage.records.errors import (
    RecordsError,
    RecordsMisconfigured,
    RecordsTooNew,
    RecordsUnavailable,
)
from pynomaly.storage.records.records import Records
from pynomaly.storage.records.tables import Base

__all__ = [
    "Base",
    "Records",
    "RecordsError",
    "RecordsMisconfigured",
    "RecordsSettings",
    "RecordsTooNew",
    "RecordsUnavailable",
]
