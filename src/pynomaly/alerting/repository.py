"""Where it is remembered what receivers were told."""

import asyncio
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pynomaly.alerting.contract import Told
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json


class MemoryLog:
    """Remembers until the process ends."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Told] = {}

    async def load(self, receiver: str) -> list[Told]:
        """Everything that was told to a receiver and still holds."""
        return [told for told in self._told.values() if told.receiver == receiver]

    async def save(self, told: Told) -> None:
        """Remember it; nothing firing: forget."""
        self._told.pop((told.receiver, told.group_key), None)
        if told.firing:
            self._told[told.receiver, told.group_key] = told


class ToldRow(Base):
    """What one receiver was told last of one group."""

    __tablename__ = "notification_log"

    receiver: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    group_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    at: Mapped[float] = mapped_column(sa.Double)
    group_labels: Mapped[dict[str, str]] = mapped_column(Json)
    firing: Mapped[list[dict[str, Any]]] = mapped_column(Json)


class RecordsLog:
    """Remembers in the records, so that a restart knows."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def load(self, receiver: str) -> list[Told]:
        """Everything that was told to a receiver and still holds.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        return await asyncio.to_thread(self._load, receiver)

    async def save(self, told: Told) -> None:
        """Remember it; nothing firing: forget.

        Raises:
            RecordsUnavailable: the database does not answer; what was told before stays noted.
        """
        await asyncio.to_thread(self._save, told)

    def _load(self, receiver: str) -> list[Told]:
        with self._records.reading() as session:
            rows = session.scalars(sa.select(ToldRow).where(ToldRow.receiver == receiver))
            return [_told(row) for row in rows]

    def _save(self, told: Told) -> None:
        row = ToldRow(
            receiver=told.receiver,
            group_key=told.group_key,
            at=told.at,
            group_labels=dict(told.group_labels),
            firing=[_alert_as_json(alert) for alert in told.firing],
        )
        with self._records.writing() as session:
            if told.firing:
                session.merge(row)
                return
            session.execute(
                sa.delete(ToldRow).where(
                    ToldRow.receiver == told.receiver, ToldRow.group_key == told.group_key
                )
            )


def _told(row: ToldRow) -> Told:
    alerts = tuple(_alert_of_json(alert) for alert in row.firing)
    return Told(row.receiver, row.group_key, Labels(row.group_labels), row.at, alerts)


def _alert_as_json(alert: Alert) -> dict[str, Any]:
    # The value is left out: it may be NaN, which JSON has not, and no receiver is told it.
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "generator_url": alert.generator_url,
    }


def _alert_of_json(data: dict[str, Any]) -> Alert:
    return Alert(
        labels=Labels(data["labels"]),
        annotations=Labels(data["annotations"]),
        state=AlertState.FIRING,
        value=float("nan"),
        active_at=data["active_at"],
        fired_at=data["fired_at"],
        generator_url=data["generator_url"],
    )
