"""Anomalies, and what people said of them."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json

revision = "0006"
down_revision = "0005"

_TEXTS = ("metric", "service", "direction", "cause", "feedback")
_NUMBERS = (
    "started_at",
    "peaked_at",
    "ended_at",
    "score",
    "confidence",
    "value",
    "expected",
    "lower",
    "upper",
)


def upgrade() -> None:
    """Create the table, and the index by which it is read: the newest first."""
    op.create_table(
        "anomalies",
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Double(), nullable=False) for name in _NUMBERS),
        sa.Column("labels", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anomalies"),
    )
    op.create_index("ix_anomalies_started_at", "anomalies", ["started_at"])
