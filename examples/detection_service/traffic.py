"""Traffic as the service's clients make it: detections, labels that come later, looks, logins."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import numpy as np

from detection_service.accounts import ENGINEER, OPERATORS
from detection_service.plant import MACHINES, readings
from detection_service.season import activity_now

_log = logging.getLogger(__name__)

DECK = {
    "detect": 80,
    "look": 32,
    "ask_for_model": 16,
    "batch": 6,
    "log_in": 5,
    "mistype": 1,
    "get_lost": 1,
    "train": 1,
    "overstep": 1,
}
"""How often each act is in a deck of cards; the traffic draws card after card, deck after deck."""

CARDS = sum(DECK.values())

_MOST_AT_ONCE = 24
_READINGS, _BATCH = 8, 200
_LABELLED_SHARE = 0.5
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Traffic:
    """Does acts, each as some operator; ``patience`` stretches the seconds between act and
    follow-up."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, password: str, patience: float = 1.0
    ) -> None:
        self._http, self._url, self._password = http, url.rstrip("/"), password
        self._patience = patience
        self._rng = np.random.default_rng()
        self._tokens: dict[str, str] = {}
        self._acts: dict[str, Callable[[str], Awaitable[None]]] = {
            "detect": self._detect,
            "look": self._look,
            "ask_for_model": self._ask_for_model,
            "batch": self._batch,
            "log_in": self._log_in,
            "mistype": self._mistype,
            "get_lost": self._get_lost,
            "train": self._train,
            "overstep": self._overstep,
        }

    async def log_all_in(self) -> None:
        """Begin a session for everybody."""
        for user in (*OPERATORS, ENGINEER):
            await self._log_in(user)

    async def act(self, name: str) -> None:
        """Do one act of the deck; a service that does not answer is a service that is away."""
        try:
            await self._acts[name](random.choice(OPERATORS))
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.debug("%s: %r", name, error)

    async def _request(self, method: str, path: str, user: str, body: Any = None) -> Any:
        if user not in self._tokens:
            await self._log_in(user)
        if user not in self._tokens:
            return None  # it was not to be had
        headers = {"Authorization": f"Bearer {self._tokens[user]}"}
        url = f"{self._url}/api/v1{path}"
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            if answer.status == 401:
                self._tokens.pop(user, None)
            return await answer.json() if answer.status in (200, 202) else None

    async def _log_in(self, user: str) -> None:
        body = {"user": user, "password": self._password}
        async with self._http.post(f"{self._url}/api/v1/login", json=body) as answer:
            if answer.status == 200:
                self._tokens[user] = (await answer.json())["token"]

    async def _detect(self, user: str) -> None:
        rows, bad = readings(self._rng, _READINGS)
        body = {"machine": random.choice(MACHINES), "readings": rows.tolist()}
        found = await self._request("POST", "/detections", user, body)
        if found is not None and random.random() < _LABELLED_SHARE:
            await asyncio.sleep(random.uniform(2, 6) * self._patience)
            labels = {"anomalous": bad.tolist()}
            await self._request("POST", f"/detections/{found['id']}/labels", user, labels)

    async def _look(self, user: str) -> None:
        await self._request("GET", "/detections", user)

    async def _ask_for_model(self, user: str) -> None:
        await self._request("GET", "/model", user)

    async def _batch(self, user: str) -> None:
        rows, _ = readings(self._rng, _BATCH)
        body = {"machine": random.choice(MACHINES), "readings": rows.tolist()}
        await self._follow(user, await self._request("POST", "/jobs/detection", user, body))

    async def _train(self, _: str) -> None:
        await self._follow(ENGINEER, await self._request("POST", "/jobs/training", ENGINEER))

    async def _follow(self, user: str, job: Any) -> None:
        if job is not None:
            await asyncio.sleep(1.0 * self._patience)
            await self._request("GET", f"/jobs/{job['id']}", user)

    async def _mistype(self, user: str) -> None:
        body = {"user": user, "password": "demmo"}
        async with self._http.post(f"{self._url}/api/v1/login", json=body):
            pass

    async def _get_lost(self, user: str) -> None:
        await self._request("GET", "/jobs/0", user)

    async def _overstep(self, user: str) -> None:
        await self._request("POST", "/jobs/training", user)


def shuffled() -> list[str]:
    """The cards of a deck in random order."""
    cards = [name for name, count in DECK.items() for _ in range(count)]
    random.shuffle(cards)
    return cards


async def rehearsal(url: str, password: str, decks: int) -> AsyncIterator[None]:
    """Play decks as fast as the service answers, two cards at a time.

    Yields before the first deck and after each, when nothing is under way.
    """
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        traffic = Traffic(http, url, password, patience=0.0)
        await traffic.log_all_in()
        for _ in range(decks):
            yield
            cards = iter(shuffled())
            await asyncio.gather(*(_play(traffic, cards) for _ in range(2)))
        yield


async def _play(traffic: Traffic, cards: Iterator[str]) -> None:
    for card in cards:
        await traffic.act(card)


async def flow(url: str, password: str, rate: float) -> None:
    """Play cards at random times, ``rate`` a second on the daily average, until cancelled.

    When many are under way, because the service is slow, further ones are not begun.
    """
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        traffic = Traffic(http, url, password)
        await _logged_in(traffic)
        under_way: set[asyncio.Task[None]] = set()
        cards: list[str] = []
        due = time.monotonic()
        while True:
            due += random.expovariate(rate * activity_now(time.time()))
            await asyncio.sleep(due - time.monotonic())
            cards = cards or shuffled()
            card = cards.pop()
            if len(under_way) < _MOST_AT_ONCE:
                task = asyncio.create_task(traffic.act(card))
                under_way.add(task)
                task.add_done_callback(under_way.discard)


async def _logged_in(traffic: Traffic) -> None:
    while True:
        try:
            return await traffic.log_all_in()
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.5)


def run(url: str, password: str, rate: float) -> None:
    """Send traffic until Ctrl-C or SIGTERM."""
    asyncio.run(flow(url, password, rate))
