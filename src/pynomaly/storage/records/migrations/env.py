"""What Alembic runs for each command; the connection and its transaction are the caller's."""

from alembic import context

from pynomaly.storage.records.schema import VERSION_TABLE
from pynomaly.storage.records.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_server_default=True,
)
context.run_migrations()
