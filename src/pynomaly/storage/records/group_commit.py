"""Many small writes, few transactions: what arrives while one commits goes into the next."""

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import Histogram
from sqlalchemy.orm import Session

from pynomaly.observability import REGISTRY
from pynomaly.storage.records.records import Records

_SECONDS = Histogram(
    "pynomaly_records_commit_seconds",
    "How long a transaction of gathered writes took; long ones delay acknowledgements of alerts.",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
    registry=REGISTRY,
)

Work = Callable[[Session], None]
"""Writes within the transaction that it is given; runs in a worker thread."""

_Waiting = tuple[Work, asyncio.Future[None]]


class GroupCommit:
    """Writes from the event loop without blocking it; a commit serves all who wait for one.

    Works run in the order in which they were given.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, work: Work) -> None:
        """Return when what ``work`` wrote is stored.

        Raises:
            RecordsError: the database refused it, or does not answer; nothing of it was stored.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, stored))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="group commit")
        # A caller that goes away does not take back what it gave.
        await asyncio.shield(stored)

    async def close(self) -> None:
        """Return when everything given so far is stored or refused."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            if not await self._try(batch) and len(batch) > 1:
                for one in batch:  # one bad write must not take the others with it
                    await self._try([one])

    async def _try(self, batch: list[_Waiting]) -> bool:
        """Commit a batch; says False where several failed together and must be tried singly."""
        try:
            await asyncio.to_thread(self._commit, [work for work, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            if len(batch) == 1:
                _settle(batch[0][1], error)
            return False
        for _, stored in batch:
            _settle(stored, None)
        return True

    def _commit(self, works: list[Work]) -> None:
        with _SECONDS.time(), self._records.writing() as session:
            for work in works:
                work(session)


def _settle(stored: asyncio.Future[None], error: Exception | None) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):  # its caller was cancelled
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)
            stored.exception()  # nobody may be left to ask; not a fault of its own
