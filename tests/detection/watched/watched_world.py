"""Three days of two series, and a watched query of them."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pynomaly.detection.excluded import Happenings
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.shared_events import SharedEvents
from pynomaly.detection.watched.config import Algorithm, TrainingSettings, WatchedQuery
from pynomaly.detection.watched.models import ModelFiles, ModelRepository
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Matrix
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records
from pynomaly.storage.samples.memory import MemorySamples

STEP = 300
START = 1_699_920_000  # on the grid of steps
DAYS = 3


class World:
    """Three days of two series, in memory, and the watched query ``load``."""

    def __init__(self, records: Records, folder: Path, **query: Any) -> None:
        self.samples = MemorySamples()
        self.querier = LocalQuerier(self.samples, ThreadPoolExecutor(1))
        self.clock = FakeClock(START)
        self.models = ModelRepository(records)
        self.folder = folder
        self.rng = np.random.default_rng(4)
        self.query = WatchedQuery.model_validate(
            {"name": "load", "expr": "busy", "step": "5m", "algorithms": ["statistical"], **query}
        )
        self.anomalies = AnomalyRepository(records)
        self.bus = Bus(self.clock)
        self.calendar: Happenings | None = None
        self.settings = TrainingSettings.model_validate({"keep_versions": 2, "retrain_every": "1d"})

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[WatchedQueries]:
        watched = WatchedQueries(
            [self.query],
            [Algorithm(name="seasonal")],
            self.settings,
            self.querier,
            self.samples,
            self.models,
            ModelFiles(self.folder),
            self.clock,
            events=SharedEvents(self.anomalies),
            bus=self.bus,
            calendar=self.calendar,
        )
        await watched.start()
        yield watched
        await watched.close()

    async def store(
        self, steps: int, value: float = 50.0, hosts: tuple[str, ...] = ("a", "b")
    ) -> None:
        """Samples of two hosts for so many steps; then it is the time of the last."""
        rows = []
        for _ in range(steps):
            self.clock._now += STEP
            for host in hosts:
                labels = Labels({"__name__": "busy", "host": host, "algorithm": "round-robin"})
                at = round(self.clock.now() * 1000)
                rows.append((labels, at, value + float(self.rng.normal())))
        await self.samples.append(SampleBatch.of(rows))

    async def read(self, expr: str) -> dict[str, float]:
        found = await self.querier.instant(expr, round(self.clock.now() * 1000))
        assert isinstance(found.value, Matrix)
        return {
            labels.get("host", ""): value
            for labels, value in zip(found.value.labels, found.value.values[:, 0], strict=True)
        }


async def trained(watched: WatchedQueries) -> None:
    """Train ``load``, to the end."""
    watched.train_soon("load")
    await watched._trainings["load"]
