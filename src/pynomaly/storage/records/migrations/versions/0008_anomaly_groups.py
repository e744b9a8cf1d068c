"""Anomalies that moved together are one event; how an anomaly differs from its siblings."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_COLUMNS: tuple[tuple[str, Any, Any], ...] = (
    ("group_id", sa.Text(), sa.text("''")),
    ("together", sa.Double(), "0"),
    ("peer", sa.Text(), sa.text("''")),
    ("siblings", sa.Integer(), "0"),
    ("siblings_median", sa.Double(), "0"),
)


def upgrade() -> None:
    """Add the columns; what was found before is an event each."""
    for name, kind, default in _COLUMNS:
        op.add_column("anomalies", sa.Column(name, kind, nullable=False, server_default=default))
    op.execute("UPDATE anomalies SET group_id = id")
    op.create_index("ix_anomalies_group_id", "anomalies", ["group_id"])
