"""In-process topics. A subscriber that is too slow loses messages and is told so."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pynomaly.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Message:
    """``seq`` counts up within a topic, so that a gap can be seen; ``at`` is epoch seconds."""

    topic: str
    seq: int
    at: float
    data: Any


class Subscription:
    """A bounded queue of messages; use it in ``with`` or call ``close``."""

    def __init__(self, bus: "Bus", topics: frozenset[str], capacity: int) -> None:
        self.topics = topics
        self._bus = bus
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._missed = False
        self._wake = asyncio.Event()

    def _offer(self, message: Message) -> None:
        if len(self._queue) >= self._capacity:
            # What is queued is outdated as a whole: better one "resync" than a torn sequence.
            self._queue.clear()
            self._missed = True
        else:
            self._queue.append(message)
        self._wake.set()

    async def next(self) -> Message | None:
        """The next message, or ``None`` once when messages were lost and a resync is due."""
        while not self._queue and not self._missed:
            self._wake.clear()
            await self._wake.wait()
        if self._missed:
            self._missed = False
            return None
        return self._queue.popleft()

    def close(self) -> None:
        """Receive nothing more. Idempotent."""
        self._bus._subscriptions.discard(self)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Bus:
    """Publishes to whoever listens now; keeps nothing. Use it from the event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seq: dict[str, int] = {}
        self._subscriptions: set[Subscription] = set()

    def publish(self, topic: str, data: Any) -> None:
        """Hand a message to every subscriber of the topic; never blocks."""
        seq = self._seq[topic] = self._seq.get(topic, 0) + 1
        message = Message(topic, seq, self._clock.now(), data)
        for subscription in self._subscriptions:
            if topic in subscription.topics:
                subscription._offer(message)

    def subscribe(self, topics: Iterable[str], *, capacity: int = 256) -> Subscription:
        """Listen to topics from now on."""
        subscription = Subscription(self, frozenset(topics), capacity)
        self._subscriptions.add(subscription)
        return subscription
