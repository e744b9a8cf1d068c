"""What open pages show, kept up to date: evaluated once, handed to everyone who looks."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Gauge, Histogram

from pynomaly.figures.timeseries import Mark
from pynomaly.model.clock import Clock, now_ms
from pynomaly.observability import REGISTRY
from pynomaly.storage.bus import Bus
from pynomaly.web.evaluate import Evaluator, GraphState, Message
from pynomaly.web.panels import PanelSpec
from pynomaly.web.snapshots import Snapshot, Snapshots

log = logging.getLogger(__name__)

_PANELS = Gauge(
    "pynomaly_web_live_panels",
    "Different charts and tables that are kept live for pages.",
    registry=REGISTRY,
)
_TICK = Histogram(
    "pynomaly_web_tick_seconds",
    "How long it took to bring all live pages up to date.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)

# A chart is made anew this often: late samples and a new ranking of series show up then.
_REFRESH_MS = 60_000
_FORCED_REFRESH_MS = 5_000
_NEWS = ("samples", "alerts", "silences", "anomalies", "events")
PREFIX = "web:"
_ROWS_A_SECOND = 1_000
_LONGEST_PAUSE = 10.0


class TooManyPanels(Exception):
    """The server keeps as many charts live as it is allowed to."""


@dataclass(slots=True, eq=False)
class LivePanel:
    """One specification that someone looks at."""

    spec: PanelSpec
    topic: str
    viewers: int = 0
    state: GraphState | None = None
    made_ms: int = 0
    wanted: bool = True
    """A viewer waits for the whole of it."""
    events_version: int = -1
    """The version of the calendar that the chart shows."""
    stale: bool = False
    """It could not be continued, so that it is to be made anew as soon as it may be."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LiveViews:
    """Evaluates live panels after each commit and publishes them on the bus.

    The topics are ``web:panel:<digest>``, ``web:`` and one of the snapshots'.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        snapshots: Snapshots,
        bus: Bus,
        clock: Clock,
        *,
        tick: float,
        idle_tick: float,
        max_panels: int,
    ) -> None:
        self._evaluator = evaluator
        self._snapshots = snapshots
        self._bus = bus
        self._clock = clock
        self._tick_seconds = tick
        self._idle_seconds = idle_tick
        self._max_panels = max_panels
        self._panels: dict[str, LivePanel] = {}
        self._watched: dict[str, int] = {}
        self._last: dict[str, Any] = {}
        self._sent: dict[str, float] = {}
        self._news = asyncio.Event()
        self._newcomer = asyncio.Event()

    def watch(self, topic: str) -> None:
        """Someone looks at one of the snapshots; it is published anew."""
        self._watched[topic] = self._watched.get(topic, 0) + 1
        self._last.pop(topic, None)
        self._sent.pop(topic, None)
        self._newcomer.set()

    def unwatch(self, topic: str) -> None:
        """The opposite of ``watch``."""
        self._watched[topic] -= 1

    def open(self, spec: PanelSpec) -> str:
        """Someone looks at a panel: its bus topic. The whole panel is published soon.

        Raises:
            TooManyPanels: the limit of different panels is reached.
        """
        panel = self._panels.get(spec.digest)
        if panel is None:
            if len(self._panels) >= self._max_panels:
                raise TooManyPanels
            panel = LivePanel(spec, f"{PREFIX}panel:{spec.digest}")
            self._panels[spec.digest] = panel
            _PANELS.set(len(self._panels))
        panel.viewers += 1
        panel.wanted = True
        self._newcomer.set()
        return panel.topic

    def close(self, spec: PanelSpec) -> None:
        """The opposite of ``open``."""
        panel = self._panels[spec.digest]
        panel.viewers -= 1
        if panel.viewers == 0:
            del self._panels[spec.digest]
            _PANELS.set(len(self._panels))

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._serve_newcomers())
            tasks.create_task(self._serve_ticks())

    async def tick(self) -> None:
        """Bring everything that is looked at up to date, once."""
        with _TICK.time():
            panels = list(self._panels.values())
            await asyncio.gather(*(self._update(panel) for panel in panels), self._views())

    async def _listen(self) -> None:
        with self._bus.subscribe(_NEWS) as subscription:
            while True:
                await subscription.next()
                self._news.set()

    async def _serve_newcomers(self) -> None:
        """Who has just opened a page does not wait for the next tick."""
        while True:
            await self._newcomer.wait()
            self._newcomer.clear()
            wanted = [panel for panel in self._panels.values() if panel.wanted]
            await asyncio.gather(*map(self._update, wanted), self._views())

    async def _serve_ticks(self) -> None:
        while True:
            await self._news_or_idle()
            began = self._clock.now()
            await self.tick()
            # At most half of the time goes into pages, however many are open.
            took = self._clock.now() - began
            await self._clock.sleep_until(began + max(self._tick_seconds, 2 * took))

    async def _news_or_idle(self) -> None:
        idle = asyncio.ensure_future(
            self._clock.sleep_until(self._clock.now() + self._idle_seconds)
        )
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({idle, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()
            news.cancel()
        self._news.clear()

    async def _views(self) -> None:
        for topic in [name for name, viewers in self._watched.items() if viewers > 0]:
            if self._clock.now() < self._sent.get(topic, 0.0) + _pause(self._last.get(topic, {})):
                continue
            data = await self._snapshots.take(topic)
            if self._last.get(topic) != data:
                self._last[topic] = data
                self._sent[topic] = self._clock.now()
                self._bus.publish(PREFIX + topic, data)

    async def _update(self, panel: LivePanel) -> None:
        async with panel.lock:
            try:
                message = await self._next_message(panel)
            except Exception as error:
                # The outermost guard of one panel: a fault in it must not stop the others.
                log.exception("a live panel failed", extra={"queries": panel.spec.queries})
                message = _fault(error)
        if message is not None:
            self._bus.publish(panel.topic, message)
        if (happened := self._happened(panel)) is not None:
            self._bus.publish(panel.topic, happened)

    def _happened(self, panel: LivePanel) -> Message | None:
        """The events of a chart, when they have changed since it was made."""
        version = self._evaluator.events.version
        if panel.state is None or panel.events_version == version:
            return None
        panel.events_version = version
        at = now_ms(self._clock)
        return {"kind": "events", **self._evaluator.happened(panel.spec, panel.state, at)}

    async def _next_message(self, panel: LivePanel) -> Message | None:
        at = now_ms(self._clock)
        if panel.spec.kind == "table":
            panel.wanted = False
            return await self._evaluator.table(panel.spec, at)
        age = at - panel.made_ms
        due = age >= _REFRESH_MS or (panel.stale and age >= _FORCED_REFRESH_MS)
        if panel.state is not None and not panel.wanted and not due:
            delta = await self._evaluator.delta(panel.spec, panel.state, at)
            if delta is not None:
                message, panel.state = delta
                return message
            panel.stale = True
            if age < _FORCED_REFRESH_MS:
                return None
        panel.wanted = False
        panel.events_version = self._evaluator.events.version
        message, panel.state = await self._evaluator.graph(panel.spec, at, self.marks(panel.spec))
        panel.made_ms, panel.stale = at, False
        return message

    def marks(self, spec: PanelSpec) -> list[Mark]:
        """The events to mark on a chart: alerts that began to fire."""
        return self._snapshots.marks() if spec.marks else []


def _pause(data: Snapshot) -> float:
    """Seconds between two of these: thousands of rows are not sent again at every commit."""
    rows: int = data.get("total", 0)
    return min(_LONGEST_PAUSE, rows / _ROWS_A_SECOND)


def _fault(error: Exception) -> Message:
    message = f"The server failed to evaluate this ({type(error).__name__}); its log says more."
    fault = {"query": 0, "kind": "internal", "message": message, "hint": "", "position": None}
    return {"kind": "fault", "errors": [fault]}
