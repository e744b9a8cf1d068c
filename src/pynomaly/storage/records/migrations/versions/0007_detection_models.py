"""Versions of the models of watched queries."""

import sqlalchemy as sa
from alembic import op

from pynomaly.storage.records.tables import Json

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "detection_models",
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Double(), nullable=False)
            for name in ("trained_at", "data_from", "data_until")
        ),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("passes_per_week", sa.Double(), nullable=True),
        sa.Column("parameters", Json, nullable=False),
        sa.PrimaryKeyConstraint("query", "algorithm", "version", name="pk_detection_models"),
    )
