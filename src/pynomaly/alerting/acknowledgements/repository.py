"""Where acknowledgements are kept."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.alerting.acknowledgements.acknowledgement import Acknowledgement
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.upsert import upsert


class AcknowledgementRow(Base):
    """Somebody has taken on an alert that fires since ``started_at``."""

    __tablename__ = "acknowledgements"

    fingerprint: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    started_at: Mapped[float] = mapped_column(sa.Double, primary_key=True)
    at: Mapped[float] = mapped_column(sa.Double, index=True)
    by: Mapped[str] = mapped_column(sa.Text)
    comment: Mapped[str] = mapped_column(sa.Text)


_TABLE: Any = AcknowledgementRow.__table__


def load(records: Records) -> list[Acknowledgement]:
    """Every one that is kept, the oldest first.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        rows = session.execute(sa.select(_TABLE).order_by(_TABLE.c.at))
        return [Acknowledgement(**row._asdict()) for row in rows]


def save(session: Session, acknowledgements: Sequence[Acknowledgement]) -> None:
    """Store them in place of those of the same firings."""
    rows = [{name: getattr(one, name) for name in _TABLE.c.keys()} for one in acknowledgements]  # noqa: SIM118 - columns, not a mapping
    upsert(session, _TABLE, rows)


def delete(session: Session, fingerprint: str, started_at: float) -> None:
    """Forget the one of a firing."""
    table = _TABLE
    wanted = sa.and_(table.c.fingerprint == fingerprint, table.c.started_at == started_at)
    session.execute(sa.delete(table).where(wanted))


def delete_old(session: Session, before: float) -> None:
    """Forget those of before this time."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.at < before))
