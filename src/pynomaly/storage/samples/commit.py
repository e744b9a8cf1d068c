"""Group commit: what arrives while a commit runs goes into the next one together."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.storage.engine.contract import EngineBusy, EngineError, QueryCancelled
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.config import SampleSettings

log = logging.getLogger(__name__)

Outcome = Appended | ValueError
Write = Callable[[Sequence[SampleBatch]], Awaitable[Sequence[Outcome]]]


@dataclass(eq=False, slots=True)
class _Waiting:
    batch: SampleBatch
    done: asyncio.Future[Appended]


class GroupCommit:
    """A bounded queue of batches, and the task that commits it. For the event loop only."""

    def __init__(self, write: Write, settings: SampleSettings) -> None:
        self._write = write
        self._settings = settings
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self.pending = 0
        self.last_seconds = 0.0
        self.last_error: Exception | None = None
        self._task = asyncio.create_task(self._run(), name="group commit")

    async def append(self, batch: SampleBatch) -> Appended:
        """Queue a batch and return when it is stored.

        Raises:
            EngineBusy: too much waits already; nothing was stored.
            EngineError: the commit failed.
        """
        if self._closing:
            raise QueryCancelled("The sample store is closed.")
        if self.pending and self.pending + len(batch) > self._settings.max_pending_samples:
            metrics.REFUSED.labels("busy").inc(len(batch))
            self.last_error = EngineBusy("Writing has fallen behind.", hint="Send it again later.")
            raise self.last_error
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._count(len(batch))
        self._wake.set()
        return await waiting.done

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closing = True
        self._wake.set()
        await self._task

    def _count(self, samples: int) -> None:
        self.pending += samples
        metrics.PENDING.set(self.pending)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                continue
            await self._commit(self._take())

    def _take(self) -> list[_Waiting]:
        group, samples = [self._queue.popleft()], 0
        samples += len(group[0].batch)
        while self._queue and samples + len(self._queue[0].batch) <= self._settings.commit_samples:
            group.append(self._queue.popleft())
            samples += len(group[-1].batch)
        return group

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            outcomes = await self._write([w.batch for w in group])
        except EngineError as error:
            metrics.COMMIT_FAILURES.labels(error.kind).inc()
            self._fail(group, error)
        except Exception as error:
            # The outermost guard: whoever waits must learn of it, and the next commit may do.
            log.exception("a commit failed")
            metrics.COMMIT_FAILURES.labels("internal").inc()
            self._fail(group, error)
        else:
            self.last_error = None
            for waiting, outcome in zip(group, outcomes, strict=True):
                _answer(waiting.done, outcome)
        finally:
            self.last_seconds = loop.time() - started
            metrics.COMMIT_SECONDS.observe(self.last_seconds)
            self._count(-sum(len(w.batch) for w in group))

    def _fail(self, group: Sequence[_Waiting], error: Exception) -> None:
        self.last_error = error
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_exception(error)


def _answer(done: asyncio.Future[Appended], outcome: Outcome) -> None:
    if done.done():  # its caller gave up; the samples are stored all the same
        return
    if isinstance(outcome, ValueError):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
