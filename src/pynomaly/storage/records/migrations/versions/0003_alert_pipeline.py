"""Silences, received alerts, what was told to whom, and why not."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json, RowId

revision = "0003"
down_revision = "0002"


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moments(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double(), nullable=False) for name in names]


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "silences",
        *_texts("id"),
        sa.Column("matchers", Json, nullable=False),
        *_moments("starts_at", "ends_at", "updated_at"),
        *_texts("created_by", "comment"),
        sa.Column("annotations", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
    )
    op.create_table(
        "alerts",
        *_texts("fingerprint", "labels", "annotations"),
        *_moments("starts_at", "ends_at", "updated_at"),
        sa.Column("timeout", sa.Boolean(), nullable=False),
        *_texts("generator_url", "source"),
        sa.Column("resolved", sa.Boolean(), nullable=False),
        sa.Column("settled_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_alerts"),
    )
    op.create_index("ix_alerts_settled_at", "alerts", ["settled_at"])
    _create_tables_of_notifications()
    op.create_table(
        "alert_verdicts",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        *_moments("at"),
        *_texts("fingerprint", "receiver", "route", "group_key", "stage", "reason"),
        sa.Column("by", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_verdicts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_verdicts_at", "alert_verdicts", ["at"])
    op.create_index("ix_alert_verdicts_fingerprint", "alert_verdicts", ["fingerprint"])


def _create_tables_of_notifications() -> None:
    op.create_table(
        "told_groups",
        *_texts("key", "receiver", "integration", "group_key"),
        *_moments("at", "expires_at"),
        *_texts("notification_id", "firing", "resolved"),
        sa.Column("memory", Json, nullable=False),
        *_texts("intent_id"),
        *_moments("intent_at"),
        *_texts("intent_firing", "intent_resolved"),
        sa.PrimaryKeyConstraint("key", name="pk_told_groups"),
    )
    op.create_index("ix_told_groups_expires_at", "told_groups", ["expires_at"])
    op.create_table(
        "notifications",
        *_texts("id"),
        *_moments("at"),
        *_texts("receiver", "integration", "route", "group_key"),
        sa.Column("group_labels", Json, nullable=False),
        *_texts("reason", "outcome"),
        sa.Column("attempts", Json, nullable=False),
        *_texts("firing", "resolved"),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
    )
    op.create_index("ix_notifications_at", "notifications", ["at"])
