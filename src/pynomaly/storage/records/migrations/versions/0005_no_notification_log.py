"""The first notification log goes: ``told_groups`` has taken its place."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drop the table. What fires is told once more after this upgrade."""
    op.drop_table("notification_log")
