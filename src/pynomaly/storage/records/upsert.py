"""Insert or replace by primary key, as both databases can."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def upsert(session: Session, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows that all have the same columns; one that is there is replaced in those columns.

    Of two rows with one primary key the last wins.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    latest = {tuple(row[key] for key in keys): row for row in rows}
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement: Any = insert(table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
    # To return something makes one statement of many rows: a driver's executemany takes turns
    # with the event loop for each of them.
    session.execute(statement.returning(sa.literal(1)), [dict(row) for row in latest.values()])
