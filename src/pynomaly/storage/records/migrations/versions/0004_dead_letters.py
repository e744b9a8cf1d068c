"""Notifications that could not be delivered."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    texts = ("key", "receiver", "integration", "group_key")
    op.create_table(
        "dead_letters",
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("notification", Json, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_dead_letters"),
    )
