"""``HealthMonitor``: is the process alive, and can it serve?"""

import asyncio
import concurrent.futures
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry

from pynomaly.observability.health.result import Degraded, Report, Result, Status
from pynomaly.observability.health.runner import Check, Named, Runner
from pynomaly.observability.metrics.collector import MetricsCollector

__all__ = ["Degraded", "HealthMonitor", "Report", "Result", "Status"]

C = TypeVar("C", bound=Check)


class HealthMonitor:
    """Named checks of what an application needs.

    A check is a function or coroutine function. It is ok if it returns, with a text for a detail
    if it likes; failed if it raises or returns False; degraded if it raises ``Degraded``. Checks
    run side by side, each within its ``timeout`` seconds, and their results are kept for ``cache``
    seconds, so that probes cost what they check little.

    Results are metrics too: ``health_check_status`` (1 ok, 0.5 degraded, 0 failed) and
    ``health_check_duration_seconds``, by ``check``.

    - registry: of the metrics; prometheus_client's own by default.
    - monotonic: the clock, passed in.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        timeout: float = 5.0,
        cache: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout, self._cache, self._monotonic = timeout, cache, monotonic
        self._runners: dict[str, Runner] = {}
        metrics = MetricsCollector(registry)
        self._status = metrics.gauge(
            "health_check_status",
            "Result of a health check: 1 ok, 0.5 degraded, 0 failed.",
            ["check"],
            workers="livemin",
        )
        self._duration = metrics.gauge(
            "health_check_duration_seconds",
            "Time that the last run of a health check took.",
            ["check"],
            workers="livemax",
        )

    def add(
        self,
        name: str,
        check: Check,
        *,
        critical: bool = True,
        live: bool = False,
        timeout: float | None = None,
        cache: float | None = None,
    ) -> None:
        """Add a check of readiness.

        - critical: if it fails, the application is not ready; else only degraded.
        - live: also a check of liveness. Choose what a restart would cure, such as a deadlock;
          never what others provide, or their trouble restarts you.
        - timeout, cache: seconds; the monitor's by default.

        Raises ValueError for a name that is taken.
        """
        if name in self._runners:
            raise ValueError(
                f"there is a health check {name!r} already: give this one its own name"
            )
        timeout = self._timeout if timeout is None else timeout
        cache = self._cache if cache is None else cache
        named = Named(name, check, critical, live, timeout, cache)
        self._runners[name] = Runner(named, self._record, self._monotonic)

    def check(
        self,
        name: str,
        *,
        critical: bool = True,
        live: bool = False,
        timeout: float | None = None,
        cache: float | None = None,
    ) -> Callable[[C], C]:
        """Decorate a function to be a check; the arguments are those of ``add``."""

        def decorate(function: C) -> C:
            self.add(name, function, critical=critical, live=live, timeout=timeout, cache=cache)
            return function

        return decorate

    def live(self) -> Report:
        """Whether the process is worth keeping, by the checks of liveness only."""
        return self._report(self._of_liveness())

    def ready(self) -> Report:
        """Whether the application can serve, by all checks."""
        return self._report(self._runners.values())

    async def live_async(self) -> Report:
        """As ``live``; coroutine functions run in this event loop."""
        return await self._report_async(self._of_liveness())

    async def ready_async(self) -> Report:
        """As ``ready``; coroutine functions run in this event loop."""
        return await self._report_async(self._runners.values())

    def refresh(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Start every check that is due, without waiting: a scrape keeps the metrics fresh."""
        for runner in list(self._runners.values()):
            runner.start(loop)

    def _of_liveness(self) -> list[Runner]:
        return [runner for runner in self._runners.values() if runner.named.live]

    def _report(self, runners: Iterable[Runner]) -> Report:
        started = [(runner, runner.start()) for runner in runners]
        results = {}
        for runner, future in started:
            concurrent.futures.wait([future], runner.remaining())
            results[runner] = future.result() if future.done() else runner.overdue()
        return _add_up(results)

    async def _report_async(self, runners: Iterable[Runner]) -> Report:
        loop = asyncio.get_running_loop()
        started = [(runner, runner.start(loop)) for runner in runners]
        results = {}
        for runner, future in started:
            if not future.done():
                # Leaves the run alone when the time is up, unlike wait_for.
                await asyncio.wait([asyncio.wrap_future(future)], timeout=runner.remaining())
            results[runner] = future.result() if future.done() else runner.overdue()
        return _add_up(results)

    def _record(self, name: str, result: Result) -> None:
        self._status.labels(name).set(result.status.value_as_metric)
        self._duration.labels(name).set(result.seconds)


def _add_up(results: dict[Runner, Result]) -> Report:
    """Failed if a critical check failed; degraded if anything is less than ok."""
    status = Status.OK
    for runner, result in results.items():
        if result.status is Status.FAILED and runner.named.critical:
            status = Status.FAILED
        elif result.status is not Status.OK and status is Status.OK:
            status = Status.DEGRADED
    return Report(status, {runner.named.name: result for runner, result in results.items()})
