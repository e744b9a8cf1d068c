"""Which watched query found an anomaly, and what it evaluates."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns; what was found before was found by the judge of every series."""
    for name in ("watched", "expr"):
        column = sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
        op.add_column("anomalies", column)
