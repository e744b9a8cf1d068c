"""The dead man's switch: while the watchdog alert fires, somebody outside hears of it."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from pynomaly.alerting.channels.config import HttpConfig
from pynomaly.alerting.channels.http import HttpClient, Unreachable, judge
from pynomaly.alerting.config import HeartbeatSettings
from pynomaly.alerting.contract import Outcome
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.observability import REGISTRY

_BEATS = Counter(
    "pynomaly_heartbeats",
    "Signs of life for a service outside: sent, failed, or withheld since the watchdog alert does "
    "not fire.",
    ["outcome"],
    registry=REGISTRY,
)
_LAST = Gauge(
    "pynomaly_heartbeat_last_sent_timestamp_seconds",
    "When the last sign of life was taken; 0 for never.",
    registry=REGISTRY,
)


_PATIENCE = 180.0
"""Seconds after the start in which the alert may fire for the first time."""


class NoHeartbeat(PynomalyError):
    """The service outside was not told that alerting works."""


class Heartbeat:
    """Calls an address while an alert fires.

    ``fires`` says whether an alert of a name fires now. A failure is an error of the periodic
    work that this is, so that health, metrics and the alert PeriodicWorkFailing show it.
    """

    def __init__(
        self, settings: HeartbeatSettings, fires: Callable[[str], bool], clock: Clock
    ) -> None:
        self._settings = settings
        self._fires = fires
        self._clock = clock
        self._began = clock.now()
        self._seen = False
        self._client = HttpClient(HttpConfig())
        for outcome in ("sent", "failed", "withheld"):
            _BEATS.labels(outcome)

    async def beat(self, _: float = 0.0) -> None:
        """Call, once; run it at the interval.

        Raises:
            NoHeartbeat: the alert does not fire, or the service did not take it.
        """
        settings = self._settings
        if not self._fires(settings.alert):
            if not self._seen and self._clock.now() < self._began + _PATIENCE:
                return
            _BEATS.labels("withheld").inc()
            raise NoHeartbeat(
                f"No heartbeat is sent: the alert {settings.alert} does not fire.",
                hint="Is it among the rules, and are rules evaluated?",
            )
        self._seen = True
        try:
            answer = await self._client.post(
                settings.url.get_secret_value(),
                b"",
                timeout=settings.timeout,
                method=settings.method,
            )
        except Unreachable as error:
            _BEATS.labels("failed").inc()
            raise NoHeartbeat(f"The heartbeat was not taken: {error}.") from None
        delivery = judge(answer, self._clock.now())
        if delivery.outcome is not Outcome.DELIVERED:
            _BEATS.labels("failed").inc()
            raise NoHeartbeat(f"The heartbeat was not taken: {delivery.reason}.")
        _BEATS.labels("sent").inc()
        _LAST.set(self._clock.now())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
