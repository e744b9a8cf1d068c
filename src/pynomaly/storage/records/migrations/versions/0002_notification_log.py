"""What receivers were told last of each group of alerts."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table: one row per receiver and group that has firing alerts."""
    op.create_table(
        "notification_log",
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("group_labels", Json, nullable=False),
        sa.Column("firing", Json, nullable=False),
        sa.PrimaryKeyConstraint("receiver", "group_key", name="pk_notification_log"),
    )
