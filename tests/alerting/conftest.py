from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pynomaly.model.clock import FakeClock
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.records.group_commit import GroupCommit


@pytest.fixture
def records(database_url: str | None, tmp_path: Path) -> Iterator[Records]:
    """An empty database: SQLite and PostgreSQL in turn."""
    settings = RecordsSettings.model_validate({"url": database_url})
    records = Records.open(settings, tmp_path)
    yield records
    records.close()


@pytest.fixture
async def commits(records: Records) -> AsyncIterator[GroupCommit]:
    commits = GroupCommit(records)
    yield commits
    await commits.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
