"""Firings and what was told of them, suppression rules, acknowledgements."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the tables."""
    _firings()
    _suppression()
    op.create_table(
        "acknowledgements",
        *_firing_key(),
        sa.Column("at", sa.Double(), nullable=False),
        *_texts("by", "comment"),
        sa.PrimaryKeyConstraint("fingerprint", "started_at", name="pk_acknowledgements"),
    )
    op.create_index("ix_acknowledgements_at", "acknowledgements", ["at"])


def _firings() -> None:
    op.create_table(
        "alert_firings",
        *_firing_key(),
        *_texts("name", "severity"),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("notifications", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at", sa.Double(), nullable=True),
        sa.Column("silenced_at", sa.Double(), nullable=True),
        sa.Column("flapping", sa.Boolean(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "started_at", name="pk_alert_firings"),
    )
    op.create_index("ix_alert_firings_minute", "alert_firings", ["minute"])
    op.create_index("ix_alert_firings_ended_at", "alert_firings", ["ended_at"])
    op.create_table(
        "rule_notifications",
        *_texts("name", "receiver"),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("notifications", sa.Integer(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "receiver", "hour", name="pk_rule_notifications"),
    )
    op.create_index("ix_rule_notifications_hour", "rule_notifications", ["hour"])


def _suppression() -> None:
    op.create_table(
        "suppression_rules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conditions", Json, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_suppression_rules"),
    )
    op.create_table(
        "suppression_counts",
        *_texts("rule", "receiver"),
        *_firing_key(),
        *_texts("key", "name"),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(
            "rule", "receiver", "fingerprint", "started_at", name="pk_suppression_counts"
        ),
    )
    op.create_index("ix_suppression_counts_at", "suppression_counts", ["at"])


def _firing_key() -> tuple[sa.Column[str], sa.Column[float]]:
    return (
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]
