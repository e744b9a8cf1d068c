"""Rules of what is told of anomalies; findings in words of their own, and those not told."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table and add the columns; what was found before was told."""
    op.create_table(
        "anomaly_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("rule", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anomaly_rules"),
    )
    op.add_column(
        "anomalies", sa.Column("note", sa.Text(), nullable=False, server_default=sa.text("''"))
    )
    op.add_column(
        "anomalies",
        sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
