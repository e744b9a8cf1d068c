"""Where verdicts of the pipeline are kept: a row for each change of what holds an alert back."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json, RowId


class VerdictRow(Base):
    """From ``at`` on, a stage held an alert back from a receiver; without a stage: no more."""

    __tablename__ = "alert_verdicts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    at: Mapped[float] = mapped_column(sa.Double, index=True)
    fingerprint: Mapped[str] = mapped_column(sa.Text, index=True)
    receiver: Mapped[str] = mapped_column(sa.Text)
    route: Mapped[str] = mapped_column(sa.Text)
    group_key: Mapped[str] = mapped_column(sa.Text)
    stage: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    by: Mapped[list[str]] = mapped_column(Json)


_TABLE: Any = VerdictRow.__table__


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows with the columns of the table but ``id``."""
    if rows:
        session.execute(sa.insert(_TABLE), list(rows))


def delete(session: Session, before: float) -> None:
    """Forget the verdicts of before this time."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.at < before))


def find(records: Records, fingerprint: str, limit: int = 100) -> list[dict[str, Any]]:
    """The verdicts on an alert, the newest first, as columns by name.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    query = sa.select(_TABLE).where(_TABLE.c.fingerprint == fingerprint)
    with records.reading() as session:
        rows = session.execute(query.order_by(_TABLE.c.id.desc()).limit(limit))
        return [row._asdict() for row in rows]
