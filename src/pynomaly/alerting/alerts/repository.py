"""Where received alerts are kept, so that a restart loses none that was acknowledged."""

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.upsert import upsert


class AlertRow(Base):
    """The last that was stored of an alert.

    ``resolved`` is false while it fires: then its end is not known, since repetitions that only
    put it off are not stored. ``settled_at`` is when everybody had been told of its end; the row
    stays for the retention, so that its labels can be searched for.
    """

    __tablename__ = "alerts"

    fingerprint: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    labels: Mapped[str] = mapped_column(sa.Text)
    annotations: Mapped[str] = mapped_column(sa.Text)
    starts_at: Mapped[float] = mapped_column(sa.Double)
    ends_at: Mapped[float] = mapped_column(sa.Double)
    updated_at: Mapped[float] = mapped_column(sa.Double)
    timeout: Mapped[bool] = mapped_column(sa.Boolean)
    generator_url: Mapped[str] = mapped_column(sa.Text)
    source: Mapped[str] = mapped_column(sa.Text)
    resolved: Mapped[bool] = mapped_column(sa.Boolean)
    settled_at: Mapped[float | None] = mapped_column(sa.Double, index=True)


_TABLE: Any = AlertRow.__table__


def load(records: Records) -> list[tuple[ReceivedAlert, bool]]:
    """The alerts of whose end not everybody has been told yet, and whether they had ended.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    query = sa.select(_TABLE).where(_TABLE.c.settled_at.is_(None))
    with records.reading() as session:
        return [(_alert(row), row.resolved) for row in session.execute(query)]


def save(session: Session, alerts: Sequence[ReceivedAlert], now: float) -> None:
    """Store alerts in place of what was stored of them."""
    upsert(session, _TABLE, [_row(alert, now) for alert in alerts])


def settle(session: Session, fingerprints: Collection[str], now: float) -> None:
    """Everybody has been told that these ended."""
    statement = sa.update(_TABLE).where(_TABLE.c.fingerprint == sa.bindparam("which"))
    rows = [{"which": one, "settled_at": now} for one in fingerprints]
    session.execute(statement.values(settled_at=sa.bindparam("settled_at")), rows)


def delete_settled(session: Session, before: float) -> None:
    """Forget those that were settled before this time."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.settled_at < before))


def find(records: Records, fingerprint: str) -> ReceivedAlert | None:
    """What is stored of an alert, also of one that has long ended; None if nothing is.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        row = session.execute(sa.select(_TABLE).where(_TABLE.c.fingerprint == fingerprint)).first()
        return None if row is None else _alert(row)


def everything(records: Records) -> list[ReceivedAlert]:
    """What is stored of every alert of the retention period.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        return [_alert(row) for row in session.execute(sa.select(_TABLE))]


def _row(alert: ReceivedAlert, now: float) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "labels": _text(alert.labels),
        "annotations": _text(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "updated_at": alert.updated_at,
        "timeout": alert.timeout,
        "generator_url": alert.generator_url,
        "source": alert.source,
        "resolved": alert.resolved(now),
        "settled_at": None,
    }


def _text(labels: Labels) -> str:
    return orjson.dumps(dict(labels.pairs)).decode()


def _labels(text: str) -> Labels:
    """What ``_text`` wrote: sorted, so that a restart with many alerts need not sort them."""
    return Labels.from_sorted(tuple(orjson.loads(text).items()))


def _alert(row: Any) -> ReceivedAlert:
    return ReceivedAlert(
        labels=_labels(row.labels),
        annotations=_labels(row.annotations),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        updated_at=row.updated_at,
        fingerprint=row.fingerprint,
        timeout=row.timeout,
        generator_url=row.generator_url,
        source=row.source,
    )
