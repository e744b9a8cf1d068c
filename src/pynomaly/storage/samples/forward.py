"""Samples that are passed on in the background, so that a slow server holds nobody up."""

import asyncio
import logging
from collections import deque

from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.peer import metrics
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.samples.contract import Appender

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0


class Forwarder:
    """A bounded queue before an appender, for what may be lost: the oldest goes first.

    For the event loop only.
    """

    def __init__(self, appender: Appender, clock: Clock, max_samples: int = 500_000) -> None:
        self._appender = appender
        self._clock = clock
        self._most = max_samples
        self._queue: deque[SampleBatch] = deque()
        self._samples = 0
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="forward samples")

    def offer(self, batch: SampleBatch) -> None:
        """Pass a batch on when the appender takes it; returns at once."""
        # Without the labels of the source's other series, which may be gone by then.
        labels = {i: batch.labels[i] for i in set(batch.ids.tolist())}
        batch = SampleBatch(batch.ids, batch.ts, batch.values, labels, batch.metadata)
        self._queue.append(batch)
        self._samples += len(batch)
        while self._samples > self._most and len(self._queue) > 1:
            lost = self._take()
            metrics.NOT_WRITTEN.labels("dropped").inc(len(lost))
        self._wake.set()

    async def close(self) -> None:
        """Stop; what waits is not passed on."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def _take(self) -> SampleBatch:
        batch = self._queue.popleft()
        self._samples -= len(batch)
        return batch

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            while self._queue:
                await self._pass_on(self._queue[0])
            self._wake.clear()

    async def _pass_on(self, batch: SampleBatch) -> None:
        """Send the oldest; it stays in the queue until it is taken, unless it gets too old."""
        try:
            await self._appender.append(batch)
        except PeerAway:
            await self._clock.sleep_until(self._clock.now() + _AGAIN_SECONDS)
            return
        except PynomalyError as error:
            metrics.NOT_WRITTEN.labels("dropped").inc(len(batch))
            log.warning("own samples are not written: %s", error)
        if self._queue and self._queue[0] is batch:
            self._take()
