"""One Alertmanager: what waits for it, what it was told, and how it is."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import orjson

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.channels.http import Answer, HttpClient, Unreachable
from pynomaly.alerting.channels.messages import shortened
from pynomaly.alerting.cluster import metrics
from pynomaly.alerting.cluster.config import AlertmanagerBlock, ClusterConfig
from pynomaly.alerting.cluster.members import base_of
from pynomaly.alerting.cluster.wire import outgoing_labels, postable_alert
from pynomaly.model.clock import Clock

log = logging.getLogger(__name__)

MOST_AT_ONCE = 256
"""Alerts in one request, as Prometheus's ``DefaultMaxBatchSize``."""

RESEND = 60.0
"""Seconds after which what still matters is sent again, as Prometheus's resend delay."""

_LEAST_WAIT = 5.0
_MOST_OF_AN_ANSWER = 16 << 20
_MOST_OF_A_REASON = 200


class Member:
    """Sends alerts to one address, in the order in which they came.

    Of an alert that waits already only the newest state is sent. ``client`` is shared by all that
    are reached in the same way.
    """

    def __init__(
        self,
        url: str,
        block: AlertmanagerBlock,
        config: ClusterConfig,
        client: HttpClient,
        clock: Clock,
    ) -> None:
        self.url = url
        self.base = base_of(url)
        self.away = self.refused = ""
        """Why there is no answer, and what was wrong with the last alerts; empty for nothing."""
        self._rules = (*config.alert_relabel_configs, *block.alert_relabel_configs)
        self._external = config.external_labels
        self._capacity = config.queue_capacity
        self._timeout = block.timeout
        self._client = client
        self._clock = clock
        self._waiting: dict[str, ReceivedAlert] = {}
        self._told: dict[str, float] = {}
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failures, self._retry_at = 0, 0.0
        metrics.begin(url)
        self._task = asyncio.create_task(self._run(), name=f"alerts to {self.base}")

    @property
    def trouble(self) -> str:
        """What is wrong with it; empty for nothing."""
        return self.away or self.refused

    @property
    def waiting(self) -> int:
        """How many alerts wait to be sent."""
        return len(self._waiting)

    def told_at(self, fingerprint: str) -> float:
        """When it last took an alert (epoch seconds); 0 for never, or long ago."""
        return self._told.get(fingerprint, 0.0)

    def offer(self, alerts: Iterable[ReceivedAlert]) -> None:
        """These are new or changed; the oldest that wait give way where there is no room."""
        for alert in alerts:
            self._waiting.pop(alert.fingerprint, None)
            self._waiting[alert.fingerprint] = alert
        self._drop_oldest(len(self._waiting) - self._capacity)
        self._wake()

    def remind(self, alerts: Iterable[ReceivedAlert]) -> None:
        """Send again what it was not told for a minute, as far as there is room."""
        now = self._clock.now()
        if now < self._retry_at:
            return
        room = self._capacity - len(self._waiting)
        due = (a for a in alerts if now - self.told_at(a.fingerprint) >= RESEND)
        missing = (a for a in due if a.fingerprint not in self._waiting)
        self._waiting.update({alert.fingerprint: alert for alert in islice(missing, room)})
        self._wake()

    def takes(self, alert: ReceivedAlert) -> bool:
        """Whether relabelling lets an alert through."""
        return bool(outgoing_labels(alert, self._external, self._rules))

    def forget(self, alerts: Iterable[ReceivedAlert]) -> None:
        """These are no more."""
        for alert in alerts:
            self._told.pop(alert.fingerprint, None)

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Call its API below ``/api/v2``.

        Raises:
            Unreachable: there is no answer, or one that says that it cannot answer now.
        """
        try:
            answer = await self._client.post(
                f"{self.base}/api/v2{path}",
                body,
                timeout=self._timeout,
                method=method,
                most=_MOST_OF_AN_ANSWER,
                secret_address=False,
            )
            if answer.status >= 500:
                raise Unreachable(_said(answer))
        except Unreachable as error:
            self._lost(str(error))
            raise
        self._found()
        return answer

    async def close(self, patience: float) -> None:
        """Send what waits, for so many seconds at most; then send no more."""
        if not self.away:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), patience)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._waiting:
            log.warning("%d alerts were not sent to %s", len(self._waiting), self.base)
        metrics.end(self.url)

    def _drop_oldest(self, count: int) -> None:
        if count <= 0:
            return
        for fingerprint in list(islice(self._waiting, count)):
            del self._waiting[fingerprint]
        metrics.DROPPED.labels(self.url).inc(count)
        log.warning("the queue of %s is full: %d alerts are dropped", self.base, count)

    def _wake(self) -> None:
        metrics.QUEUED.labels(self.url).set(len(self._waiting))
        if self._waiting:
            self._idle.clear()
            self._work.set()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            try:
                await self._send(self._next())
            except Exception:
                log.exception("alerts were not sent to %s", self.base)
            if not self._waiting:
                self._work.clear()
                self._idle.set()

    def _next(self) -> list[ReceivedAlert]:
        batch = list(islice(self._waiting.values(), MOST_AT_ONCE))
        for alert in batch:
            del self._waiting[alert.fingerprint]
        metrics.QUEUED.labels(self.url).set(len(self._waiting))
        return batch

    async def _send(self, batch: Sequence[ReceivedAlert]) -> None:
        wanted = self._wanted(batch)
        began = self._clock.now()
        if wanted:
            try:
                body = orjson.dumps(wanted)
                answer = await self._client.post(
                    self.url, body, timeout=self._timeout, secret_address=False
                )
            except Unreachable as error:
                self._lost(str(error), dropped=len(wanted))
                return
            if answer.status >= 500:
                self._lost(_said(answer), dropped=len(wanted))
                return
            self._found()
            self._judge(answer, len(wanted), began)
        # Also of those that it refused: it would refuse them again, so a minute is soon enough.
        self._told.update(dict.fromkeys((alert.fingerprint for alert in batch), began))

    def _wanted(self, batch: Iterable[ReceivedAlert]) -> list[dict[str, Any]]:
        found = ((a, outgoing_labels(a, self._external, self._rules)) for a in batch)
        return [postable_alert(alert, labels) for alert, labels in found if labels]

    def _judge(self, answer: Answer, count: int, began: float) -> None:
        metrics.LATENCY.labels(self.url).observe(max(0.0, self._clock.now() - began))
        if answer.ok:
            metrics.SENT.labels(self.url).inc(count)
            self.refused = ""
            return
        reason = _said(answer)
        if reason != self.refused:
            log.error("%s refuses alerts: %s", self.base, reason)
        self.refused = reason
        metrics.ERRORS.labels(self.url).inc(count)
        metrics.DROPPED.labels(self.url).inc(count)

    def _lost(self, reason: str, *, dropped: int = 0) -> None:
        if not self.away:
            log.error("%s is away: %s", self.base, reason)
        self.away = reason
        metrics.UP.labels(self.url).set(0)
        self._retry_at = self._clock.now() + min(RESEND, _LEAST_WAIT * 2**self._failures)
        self._failures += 1
        if dropped:
            metrics.ERRORS.labels(self.url).inc(dropped)
            metrics.DROPPED.labels(self.url).inc(dropped)

    def _found(self) -> None:
        if self.away:
            log.info("%s answers again", self.base)
        self.away, self._failures, self._retry_at = "", 0, 0.0
        metrics.UP.labels(self.url).set(1)


def _said(answer: Answer) -> str:
    said = shortened(answer.text, _MOST_OF_A_REASON)
    return (
        f"{answer.status} {answer.phrase}: {said}" if said else f"{answer.status} {answer.phrase}"
    )
