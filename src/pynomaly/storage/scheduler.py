"""The one place that runs periodic work, on the clock that is passed in."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from prometheus_client import Counter, Histogram

from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.observability import REGISTRY
from pynomaly.storage.peer.errors import PeerAway

log = logging.getLogger(__name__)

_RUNS = Counter(
    "pynomaly_scheduler_runs",
    "Finished runs of periodic work, by outcome: ok, error, or away (the server of the series is).",
    ["job", "outcome"],
    registry=REGISTRY,
)
_MISSED = Counter(
    "pynomaly_scheduler_missed_runs",
    "Runs left out since the one before took too long.",
    ["job"],
    registry=REGISTRY,
)
_LATE = Histogram(
    "pynomaly_scheduler_lateness_seconds",
    "How long after its time a run began.",
    ["job"],
    buckets=(0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60),
    registry=REGISTRY,
)

Work = Callable[[float], Awaitable[None]]


@dataclass(eq=False)
class Job:
    """Periodic work: runs at ``offset + n * interval`` (epoch seconds), never twice at once."""

    name: str
    interval: float
    work: Work
    offset: float
    group: str
    runs: int = 0
    missed: int = 0
    failures: int = 0
    last_error: str = ""
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    def next_after(self, now: float) -> float:
        """The first time of the job's grid that is later than ``now``."""
        n = math.floor((now - self.offset) / self.interval) + 1
        due = n * self.interval + self.offset
        # Rounding can give ``now`` itself again, and the same run twice.
        return due if due > now else (n + 1) * self.interval + self.offset


class Scheduler:
    """Runs each job in a task of its own, so that a slow one delays no other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.jobs: dict[str, Job] = {}

    def every(
        self, name: str, interval: float, work: Work, *, offset: float = 0.0, group: str = ""
    ) -> Job:
        """Run ``work(due)`` every ``interval`` seconds; ``due`` is the time it was due at.

        ``offset`` shifts the grid, to spread work. Jobs of one ``group`` are counted together, so
        that many small ones do not make many series; the default is a group of its own. A run
        that takes longer than the interval makes the runs that fell into it count as missed. An
        exception is logged and counted; the job goes on.

        Raises:
            ValueError: a job of this name runs already.
        """
        if name in self.jobs:
            raise ValueError(f"a job named {name!r} runs already")
        job = Job(name, interval, work, offset % interval, group or name)
        job._task = asyncio.create_task(self._run(job), name=f"job {name}")
        self.jobs[name] = job
        return job

    async def cancel(self, name: str) -> None:
        """Stop a job and wait until it has stopped; unknown names are ignored."""
        job = self.jobs.pop(name, None)
        if job is None or job._task is None:
            return
        job._task.cancel()
        # Not ``await job._task``: its cancellation could not be told from the caller's own.
        await asyncio.wait([job._task])

    async def close(self) -> None:
        """Stop every job and wait."""
        for name in list(self.jobs):
            await self.cancel(name)

    async def _run(self, job: Job) -> None:
        due = job.next_after(self._clock.now())
        while True:
            await self._clock.sleep_until(due)
            _LATE.labels(job.group).observe(max(0.0, self._clock.now() - due))
            await self._run_once(job, due)
            following = job.next_after(max(due, self._clock.now()))
            missed = round((following - due) / job.interval) - 1
            if missed > 0:
                job.missed += missed
                _MISSED.labels(job.group).inc(missed)
            due = following

    async def _run_once(self, job: Job, due: float) -> None:
        try:
            await job.work(due)
        except PeerAway as error:  # one alert says it for all jobs
            job.failures += 1
            job.last_error = str(error)
            _RUNS.labels(job.group, "away").inc()
        except Exception as error:
            job.failures += 1
            job.last_error = str(error)
            _RUNS.labels(job.group, "error").inc()
            foreseen = isinstance(error, PynomalyError)  # its message says everything
            log.error(
                "%s failed: %s", job.name, error, exc_info=not foreseen, extra={"job": job.name}
            )
        else:
            job.last_error = ""
            _RUNS.labels(job.group, "ok").inc()
        job.runs += 1
