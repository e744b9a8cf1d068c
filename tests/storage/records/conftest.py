from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pynomaly.storage.records import Records, RecordsSettings


@pytest.fixture
def settings(database_url: str | None) -> RecordsSettings:
    return RecordsSettings.model_validate({"url": database_url})


@pytest.fixture
def open_records(settings: RecordsSettings, tmp_path: Path) -> Iterator[Callable[[], Records]]:
    """Open the same database once more, as another process would."""
    opened: list[Records] = []

    def open_() -> Records:
        opened.append(Records.open(settings, tmp_path))
        return opened[-1]

    yield open_
    for records in opened:
        records.close()


@pytest.fixture
def records(open_records: Callable[[], Records]) -> Records:
    return open_records()
