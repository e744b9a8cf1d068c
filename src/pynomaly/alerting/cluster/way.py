"""The Alertmanagers of one section: discovered, and told."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import aiohttp

from pynomaly.alerting.channels.http import HttpClient
from pynomaly.alerting.cluster.config import AlertmanagerBlock, ClusterConfig
from pynomaly.alerting.cluster.member import Member
from pynomaly.alerting.cluster.members import Discovered, discovered
from pynomaly.ingest.scrape.client import Client
from pynomaly.ingest.scrape.discovery import (
    FileProvider,
    HttpProvider,
    Provider,
    StaticProvider,
)
from pynomaly.model.clock import Clock

log = logging.getLogger(__name__)

_FILES_SECONDS = 15.0


class Way:
    """Keeps a ``Member`` for every address of a section."""

    def __init__(self, block: AlertmanagerBlock, config: ClusterConfig, clock: Clock) -> None:
        self.block = block
        self.config = config
        self.found = Discovered((), ())
        self._clock = clock
        self._client = HttpClient(block)
        self._session: aiohttp.ClientSession | None = None
        self._providers = self._make_providers()
        self._asked_at = dict.fromkeys(self._providers, float("-inf"))
        self._members: dict[str, Member] = {}
        self._sync()

    @property
    def members(self) -> Sequence[Member]:
        """Those that are told, in the order in which they were found."""
        return list(self._members.values())

    def serves(self, block: AlertmanagerBlock, config: ClusterConfig) -> bool:
        """Whether it is what a section of a configuration asks for."""
        return block == self.block and replace(config, blocks=()) == replace(self.config, blocks=())

    async def refresh(self) -> None:
        """Look for members anew, where that is due."""
        now = self._clock.now()
        due = [
            provider
            for provider, asked_at in self._asked_at.items()
            if provider.interval and now - asked_at >= provider.interval
        ]
        changed = [await provider.refresh() for provider in due]
        self._asked_at.update(dict.fromkeys(due, now))
        if any(changed):
            await asyncio.gather(*(member.close(0.0) for member in self._sync()))

    async def close(self, patience: float) -> None:
        """Send what waits, for so many seconds at most; then send no more."""
        await asyncio.gather(*(member.close(patience) for member in self._members.values()))
        self._members.clear()
        await self._client.close()
        if self._session is not None:
            await self._session.close()

    def _sync(self) -> list[Member]:
        """Begin with new addresses; returns those whose addresses are no more."""
        groups = [group for provider in self._providers for group in provider.groups]
        found = discovered(self.block, groups)
        for fault in set(found.broken) - set(self.found.broken):
            log.error("an Alertmanager cannot be told: %s", fault)
        self.found = found
        before, self._members = self._members, {}
        for url in found.active:
            self._members[url] = before[url] if url in before else self._member(url)
        return [member for url, member in before.items() if url not in self._members]

    def _member(self, url: str) -> Member:
        return Member(url, self.block, self.config, self._client, self._clock)

    def _make_providers(self) -> list[Provider]:
        block = self.block
        providers: list[Provider] = [StaticProvider("alertmanagers", block.static_configs)]
        providers += [FileProvider(each, _FILES_SECONDS) for each in block.file_sd_configs]
        if block.http_sd_configs:
            session = self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout())
            servers = block.http_sd_configs
            providers += [HttpProvider(each, Client(session, each)) for each in servers]
        return providers
