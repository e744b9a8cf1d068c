"""The version of the schema, and how a database is brought to it."""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pynomaly.storage.records.errors import RecordsTooNew

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0012"
"""The newest migration. Kept here so that a start that has nothing to migrate need not import
Alembic (half a second); a test holds it equal to the scripts."""

VERSION_TABLE = "pynomaly_schema"
"""Not Alembic's default: a shared PostgreSQL database may hold another application's."""

_LOCK = 7_166_016_254_301_203  # any number; it names our lock among a server's advisory locks


def current(connection: sa.Connection) -> str | None:
    """The version that the database has; ``None`` for one that was never migrated."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
    return None if row is None else str(row[0])


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to ``HEAD`` inside the caller's transaction, under a lock.

    Of two processes that start at once the second waits, and then finds nothing to do. On SQLite
    the caller's ``BEGIN IMMEDIATE`` is that lock.

    Raises:
        RecordsTooNew: a newer version of the product has been here.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    version = current(connection)
    if version == HEAD:
        return

    from alembic import command, util

    config = alembic_config(connection)
    try:
        command.upgrade(config, HEAD)
    except util.CommandError as error:
        raise RecordsTooNew(
            f"The records have schema {version}, which is newer than this Pynomaly knows ({HEAD}).",
            hint="Start the newer Pynomaly again, or restore a backup made before its upgrade.",
        ) from error


def alembic_config(connection: sa.Connection) -> "Config":
    """Alembic's configuration for the migrations of this package on one connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
