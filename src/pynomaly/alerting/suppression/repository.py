"""Where suppression rules are kept, and what each has let through lately."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json
from pynomaly.storage.records.upsert import upsert


class SuppressionRuleRow(Base):
    """A rule that was given by the API; ``conditions`` as they were given."""

    __tablename__ = "suppression_rules"

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    conditions: Mapped[dict[str, Any]] = mapped_column(Json)
    created_by: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[float] = mapped_column(sa.Double)


class SuppressionCountRow(Base):
    """A firing that a rule has let through to a receiver, which counts for its window."""

    __tablename__ = "suppression_counts"

    rule: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    receiver: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    started_at: Mapped[float] = mapped_column(sa.Double, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[float] = mapped_column(sa.Double, index=True)


class Passed(NamedTuple):
    """A firing of the alert ``name`` that a rule let through ``at`` (epoch seconds).

    ``key`` stands for the labels by which the rule counts.
    """

    rule: str
    receiver: str
    fingerprint: str
    started_at: float
    key: str
    name: str
    at: float


class StoredRule(NamedTuple):
    """A rule as it is stored; ``created_at`` in epoch seconds."""

    name: str
    conditions: dict[str, Any]
    created_by: str
    created_at: float


_RULES: Any = SuppressionRuleRow.__table__
_COUNTS: Any = SuppressionCountRow.__table__


def load_rules(records: Records) -> list[StoredRule]:
    """The rules, the oldest first.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    query = sa.select(_RULES).order_by(_RULES.c.created_at, _RULES.c.name)
    with records.reading() as session:
        return [StoredRule(**row._asdict()) for row in session.execute(query)]


def save_rule(session: Session, rule: StoredRule) -> None:
    """Store a rule in place of the one of its name."""
    upsert(session, _RULES, [rule._asdict()])


def delete_rule(session: Session, name: str) -> None:
    """Forget a rule, and what it has let through."""
    session.execute(sa.delete(_RULES).where(_RULES.c.name == name))
    session.execute(sa.delete(_COUNTS).where(_COUNTS.c.rule == name))


def load_passed(records: Records) -> list[Passed]:
    """What rules have let through, the oldest first.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        rows = session.execute(sa.select(_COUNTS).order_by(_COUNTS.c.at))
        return [Passed(**row._asdict()) for row in rows]


def add_passed(session: Session, passed: Sequence[Passed]) -> None:
    """Write down what was let through."""
    upsert(session, _COUNTS, [one._asdict() for one in passed])


def delete_passed(session: Session, passed: Collection[Passed]) -> None:
    """Forget what counts no longer."""
    table = _COUNTS
    names = ("rule", "receiver", "fingerprint", "started_at")
    found = sa.and_(*(table.c[name] == sa.bindparam(f"its_{name}") for name in names))
    rows = [{f"its_{name}": getattr(one, name) for name in names} for one in passed]
    if rows:
        session.execute(sa.delete(table).where(found), rows)
