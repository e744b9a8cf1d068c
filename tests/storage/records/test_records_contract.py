"""What holds on SQLite as on PostgreSQL."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import pynomaly.access.audit
import pynomaly.alerting.acknowledgements.repository
import pynomaly.alerting.alerts.repository
import pynomaly.alerting.delivery.repository
import pynomaly.alerting.explain.repository
import pynomaly.alerting.firings.repository
import pynomaly.alerting.notifications.repository
import pynomaly.alerting.silences.repository
import pynomaly.alerting.suppression.repository
import pynomaly.calendar.repository
import pynomaly.detection.repository
import pynomaly.detection.rules.repository
import pynomaly.detection.watched.models  # noqa: F401 - these declare their tables
from pynomaly.storage.records import (
    Base,
    Records,
    RecordsError,
    RecordsSettings,
    RecordsTooNew,
    schema,
)

Open = Callable[[], Records]

ROW = {
    "at": 1.5,
    "principal": "p",
    "action": "a",
    "resource": "r",
    "outcome": "ok",
    "count": 1,
    "detail": {"ä": [1, None, {"x": 1.25}]},
    "source": "",
    "request_id": "",
}
TABLE = Base.metadata.tables["audit_log"]


def add(records: Records, **values: Any) -> None:
    with records.writing() as session:
        session.execute(sa.insert(TABLE), [{**ROW, **values}])


def principals(records: Records) -> list[str]:
    with records.reading() as session:
        return list(session.scalars(sa.select(TABLE.c.principal).order_by(TABLE.c.id)))


def test_what_is_written_is_read_back_after_reopening(open_records: Open) -> None:
    add(open_records())
    with open_records().reading() as session:
        row = session.execute(sa.select(TABLE)).one()._asdict()
    assert row.pop("id") == 1
    assert row == ROW


def test_a_failing_block_keeps_nothing(records: Records) -> None:
    with pytest.raises(ZeroDivisionError), records.writing() as session:
        session.execute(sa.insert(TABLE), [ROW])
        _ = 1 / 0
    assert principals(records) == []


def test_what_a_reading_block_changes_is_not_kept(records: Records) -> None:
    with records.reading() as session:
        session.execute(sa.insert(TABLE), [ROW])
    assert principals(records) == []


def test_threads_write_at_once_without_losing_or_failing(records: Records) -> None:
    names = [f"{n:02}" for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: add(records, principal=name), names))
    assert sorted(principals(records)) == names


def test_a_reader_does_not_wait_for_a_writer(records: Records) -> None:
    add(records, principal="before")
    with records.writing() as session:
        session.execute(sa.insert(TABLE), [{**ROW, "principal": "not yet"}])
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(principals, records).result(60) == ["before"]


def test_a_block_that_reads_and_then_writes_survives_other_writers(records: Records) -> None:
    def count_up(_: int) -> None:
        with records.writing() as session:
            if records.engine.dialect.name == "postgresql":
                session.execute(sa.text("LOCK TABLE audit_log IN EXCLUSIVE MODE"))
            highest = session.scalar(sa.select(sa.func.max(TABLE.c.count))) or 0
            session.execute(sa.insert(TABLE), [{**ROW, "count": highest + 1}])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(count_up, range(24)))
    with records.reading() as session:
        counts = session.scalars(sa.select(TABLE.c.count)).all()
    assert sorted(counts) == list(range(1, 25))


def test_an_audit_row_cannot_be_changed(records: Records) -> None:
    add(records)
    with pytest.raises(RecordsError, match="append-only"), records.writing() as session:
        session.execute(sa.update(TABLE).values(principal="someone else"))
    assert principals(records) == ["p"]


def test_ids_are_not_used_again_after_deleting(records: Records) -> None:
    add(records)
    with records.writing() as session:
        session.execute(sa.delete(TABLE))
    add(records)
    with records.reading() as session:
        assert session.scalar(sa.select(TABLE.c.id)) == 2


def test_migrations_and_models_agree(records: Records) -> None:
    with records.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_server_default": True,
                "version_table": schema.VERSION_TABLE,
                "target_metadata": Base.metadata,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_alembic_check_finds_nothing_to_do(records: Records) -> None:
    with records.engine.begin() as connection:
        command.check(schema.alembic_config(connection))


def test_the_head_named_in_code_is_the_head_of_the_scripts(records: Records) -> None:
    with records.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(schema.alembic_config(connection))
        assert scripts.get_heads() == [schema.HEAD]
        assert schema.current(connection) == schema.HEAD


def test_two_that_start_at_once_migrate_once(settings: RecordsSettings, tmp_path: Path) -> None:
    together = threading.Barrier(2)

    def start(_: int) -> str | None:
        together.wait(60)
        records = Records.open(settings, tmp_path)
        try:
            with records.engine.connect() as connection:
                return schema.current(connection)
        finally:
            records.close()

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(start, range(2))) == [schema.HEAD, schema.HEAD]


def test_a_newer_schema_is_refused_and_left_alone(records: Records, open_records: Open) -> None:
    add(records)
    with records.writing() as session:
        session.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(RecordsTooNew, match=r"schema 9999, which is newer .* \(\d{4}\)\. Start"):
        open_records()
    with records.engine.connect() as connection:
        assert schema.current(connection) == "9999"
    assert principals(records) == ["p"]


def test_an_error_shows_no_values(records: Records) -> None:
    with pytest.raises(RecordsError) as caught:
        add(records, principal="secret-value", at=None)
    assert "secret-value" not in str(caught.value)
