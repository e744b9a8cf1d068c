"""The audit log on both databases."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from pynomaly.access.audit import AuditEntry, AuditFilter, AuditLog
from pynomaly.model.clock import FakeClock
from pynomaly.storage.records import Records, RecordsSettings, RecordsUnavailable


@pytest.fixture
def records(database_url: str | None, tmp_path: Path) -> Iterator[Records]:
    records = Records.open(RecordsSettings.model_validate({"url": database_url}), tmp_path)
    yield records
    records.close()


def test_an_entry_is_read_back_as_it_was_written(audit: AuditLog, clock: FakeClock) -> None:
    audit.write(
        "admin",
        "config:write",
        resource="POST /-/reload",
        outcome="failed",
        detail={"changed": ["a", 1, None, 2.5, True]},
        source="192.0.2.7",
        request_id="abc",
    )
    assert audit.entries() == [
        AuditEntry(
            at=clock.now(),
            principal="admin",
            action="config:write",
            resource="POST /-/reload",
            outcome="failed",
            detail={"changed": ["a", 1, None, 2.5, True]},
            source="192.0.2.7",
            request_id="abc",
            count=1,
            id=1,
        )
    ]


async def test_pushes_of_one_minute_become_one_row(audit: AuditLog, clock: FakeClock) -> None:
    start = clock.now()
    for _ in range(3):
        audit.tally("token", "metrics:write", 10)
        await clock.advance(15)
    audit.tally("local", "metrics:write")
    await clock.advance(15)
    audit.tally("token", "metrics:write")
    audit.flush()
    found = [(e.at - start, e.principal, e.count) for e in audit.entries()]
    assert sorted(found) == [(0, "local", 1), (0, "token", 30)]  # the new minute is not over
    await clock.advance(60)
    audit.flush()
    assert [(e.at - start, e.principal, e.count) for e in audit.entries(limit=1)] == [
        (60, "token", 1)
    ]


def test_closing_stores_the_minute_that_is_not_over(audit: AuditLog) -> None:
    audit.tally("token", "metrics:write", 7)
    audit.close()
    assert [e.count for e in audit.entries()] == [7]


def test_flushing_twice_stores_once(audit: AuditLog) -> None:
    audit.tally("token", "metrics:write")
    audit.close()
    audit.close()
    audit.flush()
    assert len(audit.entries()) == 1


def test_too_many_different_sources_are_counted_together(audit: AuditLog) -> None:
    for n in range(2_500):
        audit.tally("anonymous", "login", outcome="denied", source=f"10.0.{n >> 8}.{n & 255}")
    audit.close()
    rows = audit.entries(limit=5_000)
    assert sum(row.count for row in rows) == 2_500
    assert len(rows) == 2_001


async def test_entries_are_filtered_and_paged_newest_first(
    audit: AuditLog, clock: FakeClock
) -> None:
    start = clock.now()
    for n in range(10):
        audit.write("even" if n % 2 == 0 else "odd", "admin", resource=str(n))
        await clock.advance(1)
    assert [e.resource for e in audit.entries(limit=3)] == ["9", "8", "7"]
    page = audit.entries(AuditFilter(principal="odd"), limit=2)
    assert [e.resource for e in page] == ["9", "7"]
    page = audit.entries(AuditFilter(principal="odd"), limit=2, before=page[-1].id)
    assert [e.resource for e in page] == ["5", "3"]
    page = audit.entries(AuditFilter(since=start + 2, until=start + 4))
    assert [e.resource for e in page] == ["3", "2"]
    assert audit.entries(AuditFilter(action="config:write")) == []
    assert audit.entries(AuditFilter(outcome="denied")) == []


async def test_what_is_older_than_the_retention_is_deleted(
    records: Records, clock: FakeClock
) -> None:
    audit = AuditLog(records, clock, retention_days=2)
    audit.write("p", "admin", resource="old")
    await clock.advance(86_400)
    audit.write("p", "admin", resource="new")
    await clock.advance(86_401)
    assert audit.prune() == 1
    assert [e.resource for e in audit.entries()] == ["new"]


def test_no_secret_is_written(audit: AuditLog, records: Records) -> None:
    audit.write(
        "admin",
        "config:write",
        detail={
            "password": "hunter22",
            "nested": [{"api_key": "hunter22", "Authorization": "Bearer hunter22"}],
            "url": "https://me:hunter22@example.com/x",
            "settings": SecretStr("hunter22"),
            "text": "sent Authorization: Bearer hunter22-and-more",
            "kept": "value",
        },
    )
    with records.reading() as session:
        stored = str(session.execute(sa.text("SELECT * FROM audit_log")).all())
    assert "hunter22" not in stored
    detail = audit.entries()[0].detail
    assert detail["kept"] == "value"
    assert detail["url"] == "https://[hidden]@example.com/x"


def test_text_that_a_database_cannot_hold_is_stored_readably(audit: AuditLog) -> None:
    audit.write(
        "a\x00b\ud800", "admin", resource="x" * 9_000, detail={"\x00": "\x00", "n": float("nan")}
    )
    entry = audit.entries()[0]
    assert entry.principal == "a\ufffdb?"
    assert len(entry.resource) == 2_000
    assert entry.detail == {"\ufffd": "\ufffd", "n": "nan"}


class Outage:
    """The database is away while ``on``."""

    def __init__(self, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = True
        real = records.writing

        def writing() -> AbstractContextManager[object]:
            if self.on:
                raise RecordsUnavailable("away")
            return real()

        monkeypatch.setattr(records, "writing", writing)


def test_rows_of_an_outage_are_stored_in_order_when_it_is_over(
    audit: AuditLog, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(records, monkeypatch)
    for name in ("first", "second"):
        audit.write(name, "admin")
    outage.on = False
    audit.write("third", "admin")
    audit.flush()
    assert [e.principal for e in audit.entries()] == ["third", "second", "first"]


def test_rows_that_could_not_be_stored_until_the_end_are_in_the_log(
    audit: AuditLog,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    Outage(records, monkeypatch)
    audit.write("somebody", "admin", resource="POST /x")
    audit.close()
    assert "could not be stored" in caplog.text
    assert "somebody" in caplog.text


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(
    audit: AuditLog, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    with records.writing() as session:
        session.execute(sa.text("CREATE UNIQUE INDEX once ON audit_log (action)"))
    audit.tally("kept", "a")
    audit.tally("refused", "a")
    audit.tally("kept", "b")
    audit.close()
    assert {e.action for e in audit.entries()} == {"a", "b"}
    assert "refused" in caplog.text


def test_a_value_that_does_not_fit_its_column_is_reported(
    audit: AuditLog, caplog: pytest.LogCaptureFixture
) -> None:
    audit.tally("too many", "metrics:write", 1 << 70)
    audit.tally("fine", "metrics:write")
    audit.close()
    assert [e.principal for e in audit.entries()] == ["fine"]
    assert "too many" in caplog.text
