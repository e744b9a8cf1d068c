"""What the tests of watched queries stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from watched_world import World

from pynomaly.storage.records import Records, RecordsSettings


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    records = Records.open(RecordsSettings(), tmp_path)
    yield World(records, tmp_path / "models")
    records.close()
