"""Each wrong address, login or file is one clear line, without the password."""

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from pynomaly.storage.records import (
    Records,
    RecordsError,
    RecordsMisconfigured,
    RecordsSettings,
    RecordsUnavailable,
)
from pynomaly.storage.records.records import database_url
from tests.postgres import as_text
from tests.product import unused_port


def message_of(url: str | None, data_dir: Path, kind: type[RecordsError]) -> str:
    settings = RecordsSettings.model_validate({"url": url, "connect_timeout_seconds": 2})
    with pytest.raises(kind) as caught:
        Records.open(settings, data_dir)
    text = str(caught.value)
    assert "\n" not in text
    assert "hunter22" not in text
    return text


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_mapped_to_psycopg_3(scheme: str, tmp_path: Path) -> None:
    settings = RecordsSettings.model_validate({"url": f"{scheme}://u:p@h:1/d"})
    assert database_url(settings, tmp_path).drivername == "postgresql+psycopg"


def test_without_an_address_the_file_lies_in_the_data_folder(tmp_path: Path) -> None:
    records = Records.open(RecordsSettings(), tmp_path)
    records.close()
    assert (tmp_path / "records.sqlite").exists()


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    Records.open(RecordsSettings(), tmp_path).close()
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sqlite_is_set_up_for_durability_and_concurrency(tmp_path: Path) -> None:
    records = Records.open(RecordsSettings(), tmp_path)
    with records.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    records.close()
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 10_000}
    assert found == expected


def test_the_address_shown_has_no_password(tmp_path: Path) -> None:
    engine = sa.create_engine("postgresql+psycopg://me:hunter22@db.example:5432/x")
    assert Records(engine).where == "postgresql+psycopg://me:***@db.example:5432/x"


@pytest.mark.parametrize("url", ["hunter22", "postgresql//me:hunter22@h/d", "postgresql://h:x/d"])
def test_what_is_no_address_is_named_without_showing_it(url: str, tmp_path: Path) -> None:
    text = message_of(url, tmp_path, RecordsMisconfigured)
    assert text.startswith("DATABASE_URL is not an address. Expected postgresql://USER:PASSWORD@")


def test_another_database_is_refused_by_its_name(tmp_path: Path) -> None:
    text = message_of("mysql://me:hunter22@h/d", tmp_path, RecordsMisconfigured)
    assert text.startswith("DATABASE_URL begins with mysql://. Expected postgresql://")


def test_an_unreachable_server_says_where_and_why(tmp_path: Path) -> None:
    port = unused_port()
    url = f"postgresql://me:hunter22@127.0.0.1:{port}/d"
    text = message_of(url, tmp_path, RecordsUnavailable)
    assert text == (
        f"Cannot reach PostgreSQL at 127.0.0.1:{port}: Connection refused. "
        "Is it running, and is the address in DATABASE_URL right?"
    )


def test_an_unknown_host_says_so(tmp_path: Path) -> None:
    text = message_of("postgresql://me:hunter22@no.such.invalid/d", tmp_path, RecordsUnavailable)
    assert text.startswith("Cannot reach PostgreSQL at no.such.invalid:5432: ")


@pytest.mark.needs("postgres")
def test_a_wrong_password_names_the_user(postgres_url: str, tmp_path: Path) -> None:
    url = sa.make_url(postgres_url).set(password="hunter22")
    text = message_of(as_text(url), tmp_path, RecordsMisconfigured)
    assert text == (
        f"PostgreSQL at {url.host}:{url.port}: password authentication failed for user "
        f'"{url.username}". Check the user and the password in DATABASE_URL.'
    )


@pytest.mark.needs("postgres")
def test_a_missing_database_says_how_to_create_it(postgres_url: str, tmp_path: Path) -> None:
    url = sa.make_url(postgres_url).set(database="nowhere")
    text = message_of(as_text(url), tmp_path, RecordsMisconfigured)
    assert text == (
        f'PostgreSQL at {url.host}:{url.port}: database "nowhere" does not exist. '
        "Create it with: createdb nowhere"
    )


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    path.write_bytes(b"something else" * 100)
    text = message_of(None, tmp_path, RecordsError)
    assert text.startswith(f"{path} is not a database, or is damaged")
    assert path.read_bytes() == b"something else" * 100


def test_a_folder_where_the_file_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").mkdir()
    text = message_of(None, tmp_path, RecordsMisconfigured)
    assert text.startswith(f"Cannot write {tmp_path / 'records.sqlite'}: unable to open")


@pytest.mark.needs("postgres")
def test_a_server_that_ended_our_sessions_costs_no_error(postgres_url: str, tmp_path: Path) -> None:
    records = Records.open(RecordsSettings.model_validate({"url": postgres_url}), tmp_path)
    killer = sa.create_engine(
        database_url(RecordsSettings.model_validate({"url": postgres_url}), tmp_path)
    )
    with killer.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    killer.dispose()
    with records.reading() as session:
        assert session.scalar(sa.text("SELECT 1")) == 1
    records.close()


def test_a_copy_is_of_one_moment_and_for_the_owner_alone(tmp_path: Path) -> None:
    records = Records.open(RecordsSettings(), tmp_path)
    with records.writing() as session:
        session.execute(sa.text("CREATE TABLE kept (n INTEGER)"))
        session.execute(sa.text("INSERT INTO kept VALUES (1)"))
    folder = tmp_path / "copy"
    assert records.copy_to(folder)
    with records.writing() as session:
        session.execute(sa.text("INSERT INTO kept VALUES (2)"))
    records.close()
    assert stat.S_IMODE((folder / "records.sqlite").stat().st_mode) == 0o600
    copy = Records.open(RecordsSettings(), folder)
    with copy.reading() as session:
        assert session.execute(sa.text("SELECT n FROM kept")).scalars().all() == [1]
    copy.close()


def test_a_copy_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    records = Records.open(RecordsSettings(), tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordsError, match="cannot be copied"):
        records.copy_to(tmp_path / "file")
    records.close()


def test_records_on_a_server_are_not_copied(postgres_url: str, tmp_path: Path) -> None:
    settings = RecordsSettings.model_validate({"url": postgres_url})
    records = Records.open(settings, tmp_path)
    assert not records.copy_to(tmp_path / "copy")
    records.close()
