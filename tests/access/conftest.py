from collections.abc import Iterator
from pathlib import Path

import pytest

from pynomaly.access.audit import AuditLog
from pynomaly.model.clock import FakeClock
from pynomaly.storage.records import Records, RecordsSettings


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_700_000_040.0)  # the start of a minute


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records.open(RecordsSettings(), tmp_path)
    yield records
    records.close()


@pytest.fixture
def audit(records: Records, clock: FakeClock) -> AuditLog:
    return AuditLog(records, clock)
