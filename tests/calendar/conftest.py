from collections.abc import Iterator
from pathlib import Path

import pytest

from pynomaly.storage.records import Records, RecordsSettings


@pytest.fixture
def records(database_url: str | None, tmp_path: Path) -> Iterator[Records]:
    """An empty database: SQLite and PostgreSQL in turn."""
    settings = RecordsSettings.model_validate({"url": database_url})
    records = Records.open(settings, tmp_path)
    yield records
    records.close()
