"""All targets of one job: discovered, relabelled, each with its loop."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from pynomaly.ingest.scrape.config import ScrapeConfig
from pynomaly.ingest.scrape.discovery import Provider
from pynomaly.ingest.scrape.loop import ScrapeLoop
from pynomaly.ingest.scrape.targets import Dropped, Target, build
from pynomaly.model.labels import Labels
from pynomaly.storage.scheduler import Scheduler

log = logging.getLogger(__name__)

_DROPPED_KEPT = 1000
"""Dropped targets that are remembered where ``keep_dropped_targets`` sets no bound."""

_PATIENCE = 5.0
"""Seconds that a configuration waits for its discoveries before it is applied without them."""

Key = tuple[Labels, str]


class ScrapePool:
    """Keeps loops and discovered targets in step."""

    def __init__(
        self,
        job: ScrapeConfig,
        providers: Iterable[Provider],
        scheduler: Scheduler,
        new_loop: Callable[[Target], ScrapeLoop],
    ) -> None:
        self.job = job
        self.loops: dict[Key, ScrapeLoop] = {}
        self.dropped: list[Dropped] = []
        self.dropped_count = 0
        self._providers = list(providers)
        self._scheduler = scheduler
        self._new_loop = new_loop
        self._syncing = asyncio.Lock()
        self._late: asyncio.Task[None] | None = None

    async def start(self, before: "ScrapePool | None" = None) -> None:
        """Find the targets and begin. The loops of a pool that this one replaces are taken over:
        same targets keep their series and their place in time."""
        for mine, its in zip(self._providers, before._providers if before else (), strict=False):
            mine.adopt(its)
        late = await self._first_refresh()
        inherited: Mapping[Key, ScrapeLoop] = {}
        if before is not None:
            await before.stop()
            inherited = before.loops
        await self._sync(inherited)
        if late:
            self._late = asyncio.create_task(self._sync_after(late))
        for number, provider in enumerate(self._providers):
            if provider.interval:
                self._scheduler.every(
                    self._discovery(number),
                    provider.interval,
                    partial(self._refresh, provider),
                    group="scrape discovery",
                )

    async def _first_refresh(self) -> set[asyncio.Task[bool]]:
        """Look for targets; those who take longer than our patience are returned."""
        looking = [asyncio.create_task(provider.refresh()) for provider in self._providers]
        done, late = await asyncio.wait(looking, timeout=_PATIENCE)
        for task in done:
            task.result()
        return late

    async def _sync_after(self, late: set[asyncio.Task[bool]]) -> None:
        try:
            await asyncio.gather(*late)
        finally:
            for task in late:
                task.cancel()
        await self._sync({})

    async def stop(self, *, at_once: bool = False) -> None:
        """Stop all loops, without marking any series as ended.

        A scrape that is under way is waited for, unless it has to be ``at_once``.
        """
        if self._late is not None:
            self._late.cancel()
            await asyncio.gather(self._late, return_exceptions=True)
        for number, _ in enumerate(self._providers):
            await self._scheduler.cancel(self._discovery(number))
        async with self._syncing:
            await self._cancel(self.loops, at_once=at_once)

    async def _cancel(self, loops: Mapping[Key, ScrapeLoop], *, at_once: bool = False) -> None:
        async def cancel(key: Key, loop: ScrapeLoop) -> None:
            if at_once:
                await self._scheduler.cancel(self._name(key))
                return
            async with loop.idle:
                await self._scheduler.cancel(self._name(key))

        await asyncio.gather(*(cancel(key, loop) for key, loop in loops.items()))

    async def end(self) -> None:
        """Stop, and mark all series as ended: the job is gone."""
        await self.stop()
        await asyncio.gather(*(loop.end() for loop in self.loops.values()))

    async def _refresh(self, provider: Provider, _due: float) -> None:
        if await provider.refresh():
            await self._sync({})

    async def _sync(self, inherited: Mapping[Key, ScrapeLoop]) -> None:
        async with self._syncing:
            targets = self._targets()
            gone = {key: loop for key, loop in self.loops.items() if key not in targets}
            await self._cancel(gone)
            for key in gone:
                del self.loops[key]
            left = _Left({**inherited, **gone})
            for key, target in targets.items():
                if key not in self.loops:
                    self._begin(key, target, left)
            self._enforce_limit()
            await asyncio.gather(*(loop.end() for loop in left))

    def _begin(self, key: Key, target: Target, left: "_Left") -> None:
        loop = self.loops[key] = self._new_loop(target)
        before = left.take(key)
        if before is not None:
            loop.take_over(before)
        self._scheduler.every(
            self._name(key),
            target.interval,
            loop.scrape,
            offset=target.offset(),
            group="scrape",
        )

    def _targets(self) -> dict[Key, Target]:
        """Build all targets; remember what relabelling dropped."""
        targets: dict[Key, Target] = {}
        keep = self.job.keep_dropped_targets or _DROPPED_KEPT
        self.dropped, self.dropped_count = [], 0
        for group in (g for provider in self._providers for g in provider.groups):
            for labels in group.targets:
                try:
                    target = build(self.job, group, labels)
                except ValueError as error:
                    extra = {"source": group.source, "target": dict(labels), "error": str(error)}
                    log.warning("target cannot be scraped", extra=extra)
                    continue
                if isinstance(target, Target):
                    targets.setdefault(target.key, target)
                    continue
                self.dropped_count += 1
                if len(self.dropped) < keep:
                    self.dropped.append(target)
        return targets

    def _enforce_limit(self) -> None:
        limit, count = self.job.target_limit, len(self.loops)
        error = ""
        if limit and count > limit:
            error = f"target_limit exceeded (number of targets: {count}, limit: {limit})"
        for loop in self.loops.values():
            loop.forced_error = error

    def _name(self, key: Key) -> str:
        return f"scrape {self.job.job_name} {key[1]} {key[0]}"

    def _discovery(self, number: int) -> str:
        return f"discover {self.job.job_name} {number}"


class _Left:
    """Loops that have stopped, for a new one to take over; the rest come to their end."""

    def __init__(self, loops: Mapping[Key, ScrapeLoop]) -> None:
        self._loops = dict(loops)

    def take(self, key: Key) -> ScrapeLoop | None:
        """The one of this key, else one of the same labels: it writes the same series."""
        if key not in self._loops:
            key = next((k for k in self._loops if k[0] == key[0]), key)
        return self._loops.pop(key, None)

    def __iter__(self) -> Iterator[ScrapeLoop]:
        return iter(self._loops.values())
