"""Wires the judge of every series, and the anomalies that it finds."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.service import Judge
from pynomaly.model.clock import Clock
from pynomaly.server.backends import Backend
from pynomaly.server.health import HealthBoard, of_job
from pynomaly.storage.bus import Bus
from pynomaly.storage.scheduler import Scheduler

STATE_FILE = "detection-state.npz"

_SAVE_SECONDS = 1800.0
_DAY = 86_400.0


async def judge_series(
    settings: DetectionSettings,
    backend: Backend,
    anomalies: AnomalyRepository,
    *,
    bus: Bus,
    scheduler: Scheduler,
    health: HealthBoard,
    undo: AsyncExitStack,
    data_dir: Path,
) -> None:
    """Judge every series from now on; ``undo`` saves what was learnt."""
    judge = Judge(
        backend.judging,
        backend.appender,
        settings,
        anomalies=anomalies,
        bus=bus,
        state_file=data_dir / STATE_FILE,
    )
    await judge.start()
    undo.push_async_callback(judge.close)
    job = scheduler.every("detection", settings.interval, judge)
    scheduler.every("detection state", _SAVE_SECONDS, judge.save)
    health.add("anomaly_detection", of_job(job))


def keep_anomalies(
    anomalies: AnomalyRepository, clock: Clock, scheduler: Scheduler, days: float
) -> None:
    """Drop anomalies that ended longer ago."""

    async def prune(_: float) -> None:
        await asyncio.to_thread(anomalies.forget, clock.now() - days * _DAY)

    scheduler.every("anomalies retention", _DAY, prune)
