"""Where silences are kept."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.alerting.alertmanager.matchers import new_matcher
from pynomaly.alerting.silences.silence import Silence
from pynomaly.model.matcher import MatchOp
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json
from pynomaly.storage.records.upsert import upsert


class SilenceRow(Base):
    """One silence; ``matchers`` are triples of name, operator and value."""

    __tablename__ = "silences"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    matchers: Mapped[list[list[str]]] = mapped_column(Json)
    starts_at: Mapped[float] = mapped_column(sa.Double)
    ends_at: Mapped[float] = mapped_column(sa.Double)
    updated_at: Mapped[float] = mapped_column(sa.Double)
    created_by: Mapped[str] = mapped_column(sa.Text)
    comment: Mapped[str] = mapped_column(sa.Text)
    annotations: Mapped[dict[str, str]] = mapped_column(Json)


_TABLE: Any = SilenceRow.__table__


def load(records: Records) -> list[Silence]:
    """Every silence, those changed last at the end.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        rows = session.scalars(sa.select(SilenceRow).order_by(SilenceRow.updated_at))
        return [_silence(row) for row in rows]


def save(session: Session, silences: Sequence[Silence]) -> None:
    """Store them in place of those of the same ids."""
    upsert(session, _TABLE, [_row(silence) for silence in silences])


def delete(session: Session, ids: Collection[str]) -> None:
    """Forget them."""
    session.execute(sa.delete(SilenceRow).where(SilenceRow.id.in_(ids)))


def _row(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "matchers": [[m.name, m.op.value, m.value] for m in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "updated_at": silence.updated_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "annotations": dict(silence.annotations),
    }


def _silence(row: SilenceRow) -> Silence:
    return Silence(
        matchers=tuple(new_matcher(name, MatchOp(op), value) for name, op, value in row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        comment=row.comment,
        annotations=row.annotations,
        id=row.id,
        updated_at=row.updated_at,
    )
