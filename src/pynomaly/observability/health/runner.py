"""Runs one check: within its time, once at a time, and not more often than its cache allows."""

import asyncio
import contextvars
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from pynomaly.observability.health.result import Result, Status, result_of, result_of_error

Check = Callable[[], object | Awaitable[object]]


@dataclass(frozen=True)
class Named:
    """A check and its terms: seconds that it may take, and that its result is good for."""

    name: str
    check: Check
    critical: bool
    live: bool
    timeout: float
    cache: float


class Runner:
    """The runs of one check; safe between threads.

    A check that hangs cannot be stopped in its thread: while it hangs it is reported as failed and
    not started again.
    """

    def __init__(
        self,
        named: Named,
        on_result: Callable[[str, Result], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.named = named
        self._on_result = on_result
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: tuple[float, Result] | None = None
        self._running: Future[Result] | None = None
        self._started = 0.0

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> Future[Result]:
        """A future of the result: of the cache, of the run under way, or of a new one.

        With a ``loop`` a coroutine function runs there, where its connections live; else in a
        thread, as plain functions do.
        """
        with self._lock:
            if self._running is not None and not self._running.done():
                return self._running
            if self._last and self._monotonic() - self._last[0] < self.named.cache:
                return _done(self._last[1])
            self._started = self._monotonic()
            self._running = self._run(loop)
            self._running.add_done_callback(self._keep)
            return self._running

    def overdue(self) -> Result:
        """The result of a run that has not ended in its time."""
        waited = self._monotonic() - self._started
        result = Result(Status.FAILED, f"no answer in {max(waited, 0):.1f} s", waited)
        self._on_result(self.named.name, result)
        return result

    def remaining(self) -> float:
        """Seconds that the run under way still has."""
        return max(0.0, self._started + self.named.timeout - self._monotonic())

    def _run(self, loop: asyncio.AbstractEventLoop | None) -> Future[Result]:
        if loop is not None and inspect.iscoroutinefunction(self.named.check):
            return asyncio.run_coroutine_threadsafe(self._in_loop(), loop)
        future: Future[Result] = Future()
        context = contextvars.copy_context()
        # A daemon: a check that hangs must not hold up the process's exit.
        threading.Thread(
            target=context.run,
            args=(self._in_thread, future),
            name=f"health-{self.named.name}",
            daemon=True,
        ).start()
        return future

    def _in_thread(self, future: Future[Result]) -> None:
        began = self._monotonic()
        try:
            returned: Any = self.named.check()
            if inspect.isawaitable(returned):
                returned = asyncio.run(_awaited(returned))
            result = result_of(returned, self._monotonic() - began)
        except Exception as error:  # noqa: BLE001 - a check may raise anything: that is its answer
            result = result_of_error(error, self._monotonic() - began)
        future.set_result(result)

    async def _in_loop(self) -> Result:
        began = self._monotonic()
        try:
            returned: Any = self.named.check()
            returned = await asyncio.wait_for(returned, self.named.timeout)
            return result_of(returned, self._monotonic() - began)
        except TimeoutError:
            waited = self._monotonic() - began
            return Result(Status.FAILED, f"no answer in {waited:.1f} s", waited)
        except Exception as error:  # noqa: BLE001 - a check may raise anything: that is its answer
            return result_of_error(error, self._monotonic() - began)

    def _keep(self, future: Future[Result]) -> None:
        try:
            result = future.result()
        except CancelledError:
            return  # its event loop has ended
        self._last = (self._monotonic(), result)
        self._on_result(self.named.name, result)


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future
