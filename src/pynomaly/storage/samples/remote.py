"""The second ``Appender``: remote write 1.0 to a Prometheus-compatible server."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import cramjam
import numpy as np

from pynomaly.model.errors import PynomalyError
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.samples import (
    Appended,
    IdArray,
    MetricMetadata,
    SampleBatch,
    TimeArray,
    ValueArray,
)
from pynomaly.storage.peer import metrics
from pynomaly.storage.peer.client import Answer, PeerClient, Request
from pynomaly.storage.peer.errors import PeerAway, PeerBusy
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.remote_encoding import encode, encode_exemplars

_AT_ONCE = 4
"""Requests on their way together; those of one ``append`` go one after the other."""

_EXEMPLARS_REMEMBERED = 100_000
"""Series whose last exemplar is kept."""

_MOST_DIVISIONS = 64
"""Further requests that one ``append`` may spend on finding the samples that are refused."""

_SLICE_MS = 20 * 60_000
"""What is older than the newest by an hour is too old for Prometheus: time goes before series."""

_NO_RECEIVER = frozenset(
    [HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED]
)
_HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
OnStored = Callable[[int, int], None]


@dataclass(eq=False, slots=True)
class _Rows:
    """Samples, those of a series in the order of time, each time of a series once."""

    ids: IdArray
    ts: TimeArray
    values: ValueArray
    labels: Mapping[int, Labels]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, begin: int, end: int) -> "_Rows":
        return _Rows(self.ids[begin:end], self.ts[begin:end], self.values[begin:end], self.labels)

    def halves(self) -> tuple["_Rows", "_Rows"]:
        """Divided between two series if there are two, else in the middle."""
        middle = len(self) // 2
        edges = np.flatnonzero(self.ids[1:] != self.ids[:-1]) + 1
        if len(edges):
            middle = int(edges[np.argmin(np.abs(edges - middle))])
        return self.part(0, middle), self.part(middle, len(self))


@dataclass(eq=False, slots=True)
class _Outcome:
    stored: int = 0
    refused: Tally[str] = field(default_factory=Tally)
    divisions: int = 0
    exemplars: int = 0
    refused_exemplars: Tally[str] = field(default_factory=Tally)


class RemoteAppender:
    """Sends each batch to ``settings.writes_to()`` and returns when the server has taken it.

    What is acknowledged here was acknowledged there. What it refuses (too old, out of order, by
    its own rules) is refused here, with its words; one such sample does not spoil its batch.
    ``on_stored(samples, newest_ms)`` is called after each batch of which something was stored.
    """

    def __init__(
        self, client: PeerClient, watch: PeerWatch, *, on_stored: OnStored | None = None
    ) -> None:
        self._client = client
        self._watch = watch
        self._on_stored = on_stored
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._pending = 0
        self._exemplars: dict[int, Exemplar] = {}
        self._trouble: str | None = None

    def trouble(self) -> str | None:
        """Why the last batch was not written; None when it was."""
        return self._trouble

    async def append(self, batch: SampleBatch) -> Appended:
        """See ``Appender.append``; late and out-of-order samples are as the server takes them.

        Raises:
            PeerAway: it is away; what was sent may have been stored, and may be sent again.
            PeerBusy: too much waits for it; nothing was sent.
            PeerRefused: it does not accept our credentials.
            ValueError: the columns differ in length.
        """
        if not len(batch.ids) == len(batch.ts) == len(batch.values):
            raise ValueError("the columns of a batch must have one length")
        count = len(batch)
        if not count and not batch.metadata and not batch.exemplars:
            return Appended(0)
        self._admit(count)
        try:
            async with self._at_once:
                outcome = await self._write(batch)
        except PynomalyError as error:
            metrics.NOT_WRITTEN.labels("failed").inc(count)
            self._trouble = str(error)
            raise
        finally:
            self._hold(-count)
        if outcome.stored and self._on_stored is not None:
            self._on_stored(outcome.stored, int(batch.ts.max()))
        return Appended(
            outcome.stored, outcome.refused, outcome.exemplars, outcome.refused_exemplars
        )

    def _admit(self, count: int) -> None:
        if self._pending and self._pending + count > self._client.settings.max_pending_samples:
            metrics.NOT_WRITTEN.labels("busy").inc(count)
            raise PeerBusy("Too many samples wait for Prometheus.", hint="Send it again later.")
        self._hold(count)

    def _hold(self, count: int) -> None:
        self._pending += count
        metrics.PENDING.set(self._pending)

    async def _write(self, batch: SampleBatch) -> _Outcome:
        outcome = _Outcome()
        rows = await self._client.in_thread(_sorted, batch)
        outcome.stored = len(batch) - len(rows)  # replaced by a later one of the same time
        self._trouble = None
        metadata = tuple(batch.metadata)
        most = self._client.settings.max_write_samples
        for begin in range(0, max(len(rows), bool(metadata)), most):
            await self._send(rows.part(begin, begin + most), metadata, outcome)
            metadata = ()
        fresh = [each for each in batch.exemplars if not self._was_sent(*each)]
        outcome.exemplars = len(batch.exemplars) - len(fresh)
        for begin in range(0, len(fresh), most):
            await self._send_exemplars(fresh[begin : begin + most], batch, outcome)
        return outcome

    def _was_sent(self, series: int, exemplar: Exemplar) -> bool:
        """On the wire each has a time: the server could not know again one that comes without."""
        last = self._exemplars.get(series)
        return last is not None and exemplar.repeats(last)

    async def _send_exemplars(
        self, part: Sequence[tuple[int, Exemplar]], batch: SampleBatch, outcome: _Outcome
    ) -> None:
        """After the samples: Prometheus takes none of a series that it does not know."""
        answer = await self._post_message(lambda: encode_exemplars(part, batch.labels))
        if answer.not_now():
            raise PeerAway(f"{self._url} answers {answer.status}: {answer.text()}")
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            outcome.exemplars += len(part)
            if len(self._exemplars) > _EXEMPLARS_REMEMBERED:
                self._exemplars.clear()
            self._exemplars.update(part)
        else:
            outcome.refused_exemplars["rejected"] += len(part)

    async def _send(
        self, rows: _Rows, metadata: tuple[MetricMetadata, ...], outcome: _Outcome
    ) -> None:
        answer = await self._post(rows, metadata)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            outcome.stored += len(rows)
            metrics.WRITTEN.inc(len(rows))
        elif answer.status in _NO_RECEIVER:
            self._refuse(rows, "no_receiver", _no_receiver(answer), outcome)
        elif answer.not_now():
            raise PeerAway(f"{self._url} answers {answer.status}: {answer.text()}")
        elif len(rows) > 1 and outcome.divisions < _MOST_DIVISIONS:
            # Prometheus 2 takes nothing of a request with one sample that it does not take.
            outcome.divisions += 2
            for half in rows.halves():
                await self._send(half, (), outcome)
        else:
            reason = answer.text() or f"Prometheus answered {answer.status}"
            self._refuse(rows, "rejected", reason, outcome)

    async def _post(self, rows: _Rows, metadata: tuple[MetricMetadata, ...]) -> Answer:
        return await self._post_message(
            lambda: encode(rows.ids, rows.ts, rows.values, rows.labels, metadata)
        )

    async def _post_message(self, message: Callable[[], bytes]) -> Answer:
        self._watch.refuse_if_away()
        body = await self._client.in_thread(_packed, message)
        timeout = self._client.settings.timeout
        request = Request("write", "POST", self._url, timeout, body, _HEADERS)
        return await self._client.patiently(request)

    def _refuse(self, rows: _Rows, kind: str, reason: str, outcome: _Outcome) -> None:
        if not len(rows):
            return
        metrics.NOT_WRITTEN.labels(kind).inc(len(rows))
        outcome.refused[reason] += len(rows)
        if kind == "no_receiver":
            self._trouble = reason

    @property
    def _url(self) -> str:
        return self._client.settings.writes_to()


def _no_receiver(answer: Answer) -> str:
    said = f" ({answer.text()})" if answer.body else ""
    return (
        f"the server takes no remote write{said}: start Prometheus with "
        "--web.enable-remote-write-receiver, or set prometheus.write_url"
    )


def _sorted(batch: SampleBatch) -> _Rows:
    """By series and time within each slice; of samples with the same time only the last."""
    # Stable: the last received stays the last.
    order = np.lexsort((batch.ts, batch.ids, batch.ts // _SLICE_MS))
    ids, ts = batch.ids[order], batch.ts[order]
    values = np.ascontiguousarray(batch.values)[order]
    last = np.ones(len(ids), dtype=np.bool_)
    last[:-1] = (ids[1:] != ids[:-1]) | (ts[1:] != ts[:-1])
    return _Rows(ids[last], ts[last], values[last], batch.labels)


def _packed(message: Callable[[], bytes]) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message()))
