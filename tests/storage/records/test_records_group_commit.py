"""Gathered writes: each is stored or refused by itself, in order."""

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pynomaly.storage.records import Base, Records, RecordsError
from pynomaly.storage.records.group_commit import GroupCommit
from pynomaly.storage.records.upsert import upsert

TABLE = Base.metadata.tables["silences"]


def put(name: str, comment: str = "") -> Callable[[Session], None]:
    row = {"id": name, "matchers": [], "starts_at": 1.0, "ends_at": 2.0, "updated_at": 0.0}
    row |= {"created_by": "", "comment": comment, "annotations": {}}
    return lambda session: upsert(session, TABLE, [row])


def refused(session: Session) -> None:
    session.execute(sa.insert(TABLE), [{"id": "incomplete"}])


def comments(records: Records) -> dict[str, str]:
    with records.reading() as session:
        return {row.id: row.comment for row in session.execute(sa.select(TABLE))}


async def test_what_is_given_at_once_is_stored_in_order(records: Records) -> None:
    commits = GroupCommit(records)
    await asyncio.gather(*(commits.write(put("a", str(i))) for i in range(20)))
    assert comments(records) == {"a": "19"}


async def test_a_refused_write_takes_no_other_with_it(records: Records) -> None:
    commits = GroupCommit(records)
    works = [put("a"), put("b"), refused, put("c")]
    results = await asyncio.gather(*map(commits.write, works), return_exceptions=True)
    assert sorted(comments(records)) == ["a", "b", "c"]
    assert [isinstance(result, RecordsError) for result in results] == [False, False, True, False]


async def test_a_caller_that_goes_away_does_not_take_its_write_back(records: Records) -> None:
    commits = GroupCommit(records)
    caller = asyncio.create_task(commits.write(put("a")))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await commits.close()
    assert comments(records) == {"a": ""}
