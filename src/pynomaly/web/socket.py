"""The WebSocket: what changed, to whoever looks; ``resync`` to who is too slow.

A page sends ``{"watch": [topics], "panels": {id: specification}}`` whenever what it shows has
changed; it is answered by ``subscribed``, which names the topic of each panel. Everything the
server sends is ``{topic, seq, at, data}``. Within a topic ``seq`` counts up by one.
"""

import asyncio
import collections
import logging
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import WebSocket, WebSocketDisconnect
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pynomaly.model.clock import Clock
from pynomaly.observability import REGISTRY
from pynomaly.storage.bus import Bus, Message, Subscription
from pynomaly.web.config import WebSettings
from pynomaly.web.live import PREFIX, LiveViews, TooManyPanels
from pynomaly.web.panels import PanelSpec, encode
from pynomaly.web.snapshots import TOPICS

log = logging.getLogger(__name__)

_CLIENTS = Gauge(
    "pynomaly_web_clients", "Pages that are connected and kept live.", registry=REGISTRY
)
_RESYNCS = Counter(
    "pynomaly_web_resyncs",
    "Times a page was too slow for what changed and had to start over.",
    registry=REGISTRY,
)

TRY_AGAIN_LATER = 1013
_QUEUE = 256
_MAX_REQUEST = 262_144


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    watch: Annotated[frozenset[str], Field(max_length=len(TOPICS))] = frozenset()
    panels: dict[Annotated[str, Field(max_length=100)], PanelSpec] = Field(default_factory=dict)


class LiveSocket:
    """Serves the WebSockets of all pages."""

    def __init__(self, views: LiveViews, bus: Bus, clock: Clock, settings: WebSettings) -> None:
        self._views = views
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """One page, from its connection to its end."""
        await socket.accept()
        if self._open >= self._settings.max_clients:
            await socket.close(TRY_AGAIN_LATER, "too many open pages; try again later")
            return
        self._open += 1
        _CLIENTS.set(self._open)
        try:
            with self._bus.subscribe((), capacity=_QUEUE) as subscription:
                await _Viewer(self, socket, subscription).serve()
        finally:
            self._open -= 1
            _CLIENTS.set(self._open)


class _Viewer:
    """One page: what it watches, and its way out."""

    def __init__(self, server: LiveSocket, socket: WebSocket, subscription: Subscription) -> None:
        self._server = server
        self._socket = socket
        self._subscription = subscription
        self._watched: frozenset[str] = frozenset()
        self._panels: list[PanelSpec] = []
        self._seq: collections.Counter[str] = collections.Counter()
        self._way_out = asyncio.Lock()

    async def serve(self) -> None:
        sender = asyncio.create_task(self._send_all())
        receiver = asyncio.create_task(self._receive_all())
        try:
            await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, receiver):
                task.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)
            self._leave()

    async def _receive_all(self) -> None:
        while True:
            try:
                text = await self._socket.receive_text()
            except WebSocketDisconnect:
                return
            try:
                if len(text) > _MAX_REQUEST:
                    raise ValueError("the request is too long")
                await self._show(_Request.model_validate_json(text))
            except ValidationError as error:
                await self._reply("refused", {"message": explain(error)})
            except ValueError as error:
                await self._reply("refused", {"message": str(error)})

    async def _show(self, request: _Request) -> None:
        if unknown := request.watch - set(TOPICS):
            raise ValueError(f"unknown topics: {', '.join(sorted(unknown))}")
        if len(request.panels) > self._server._settings.max_panels_per_client:
            raise ValueError("too many panels on one page")
        before, watched_before = self._panels, self._watched
        topics: dict[str, str] = {}
        opened: list[PanelSpec] = []
        refused: list[str] = []
        views = self._server._views
        for name, spec in request.panels.items():
            try:
                topics[name] = views.open(spec)
                opened.append(spec)
            except TooManyPanels:
                refused.append(name)
        for spec in before:
            views.close(spec)
        self._panels, self._watched = opened, request.watch
        self._subscription.topics = frozenset(
            [*topics.values(), *(PREFIX + topic for topic in request.watch)]
        )
        # Sent before anything else can be: the loop has not run since the panels were opened.
        on_wire = {name: topic.removeprefix(PREFIX) for name, topic in topics.items()}
        await self._reply("subscribed", {"panels": on_wire, "refused": refused})
        for topic in request.watch:
            views.watch(topic)
        for topic in watched_before:
            views.unwatch(topic)

    async def _send_all(self) -> None:
        try:
            while True:
                message = await self._subscription.next()
                if message is None:
                    _RESYNCS.inc()
                    await self._reply("resync", {})
                else:
                    await self._send(_wire(message))
        except (WebSocketDisconnect, TimeoutError, RuntimeError):
            log.debug("a page took nothing any more and was left")

    async def _reply(self, topic: str, data: Any) -> None:
        self._seq[topic] += 1
        at = self._server._clock.now()
        await self._send({"topic": topic, "seq": self._seq[topic], "at": at, "data": data})

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._way_out, asyncio.timeout(self._server._settings.send_timeout_seconds):
            await self._socket.send_text(encode(message).decode())

    def _leave(self) -> None:
        for spec in self._panels:
            self._server._views.close(spec)
        for topic in self._watched:
            self._server._views.unwatch(topic)


def _wire(message: Message) -> dict[str, Any]:
    return {
        "topic": message.topic.removeprefix(PREFIX),
        "seq": message.seq,
        "at": message.at,
        "data": message.data,
    }


def explain(error: ValidationError) -> str:
    """What was wrong with a request, in one line."""
    return "; ".join(explain_fault(fault["loc"], fault["msg"]) for fault in error.errors())


def explain_fault(where: Sequence[str | int], message: str) -> str:
    """One fault: its place, if it has one, and what is wrong."""
    place = ".".join(map(str, where))
    text = message.removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
