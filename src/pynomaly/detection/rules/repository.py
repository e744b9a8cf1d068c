"""Rules that people made through the API, in the records."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.storage.records import Records
from pynomaly.storage.records.tables import Base, Json


class AnomalyRuleRow(Base):
    """One rule."""

    __tablename__ = "anomaly_rules"

    id: Mapped[str] = mapped_column(sa.Text(), primary_key=True)
    created_at: Mapped[float] = mapped_column(sa.Double())
    created_by: Mapped[str] = mapped_column(sa.Text())
    rule: Mapped[dict[str, Any]] = mapped_column(Json)


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A rule with its id. ``created_at``: epoch seconds; 0 for one of the configuration."""

    id: str
    rule: AnomalyRule
    created_at: float = 0.0
    created_by: str = ""


class RuleRepository:
    """The queries of the table of rules. Blocking: call it in a worker thread."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def all(self) -> list[KeptRule]:
        """Every rule, the oldest first."""
        query = sa.select(AnomalyRuleRow).order_by(AnomalyRuleRow.created_at, AnomalyRuleRow.id)
        with self._records.reading() as session:
            return [
                KeptRule(
                    row.id,
                    AnomalyRule.model_validate(row.rule),
                    row.created_at,
                    row.created_by,
                )
                for row in session.scalars(query)
            ]

    def add(self, kept: KeptRule) -> None:
        """Keep one more."""
        with self._records.writing() as session:
            session.add(
                AnomalyRuleRow(
                    id=kept.id,
                    created_at=kept.created_at,
                    created_by=kept.created_by,
                    rule=kept.rule.model_dump(mode="json"),
                )
            )

    def remove(self, rule_id: str) -> bool:
        """Drop one; whether there was such a rule."""
        with self._records.writing() as session:
            row = session.get(AnomalyRuleRow, rule_id)
            if row is None:
                return False
            session.delete(row)
            return True
