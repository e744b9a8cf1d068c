"""The correlation id: one request's or job's name, in every log line that it causes.

It lives in a context variable, so asyncio tasks inherit it. Threads do not inherit context
variables before Python 3.14; ``carry_context_into_threads`` makes them.
"""

import contextlib
import contextvars
import functools
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

HEADER = "X-Correlation-ID"
"""The HTTP header that carries it; ``X-Request-ID`` is taken too."""

_ACCEPTED = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)

_current: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "pynomaly_correlation_id", default=None
)


def correlation_id() -> str | None:
    """The id of what is being done now."""
    return _current.get()


def accepted(candidate: str | None) -> str:
    """A caller's id if it is one (1 to 128 letters, digits and ``._:/+=-``), else a new one."""
    return candidate if candidate and _ACCEPTED.fullmatch(candidate) else os.urandom(16).hex()


def set_correlation_id(identifier: str) -> contextvars.Token[str | None]:
    """Make it the current one; give the token to ``reset_correlation_id``."""
    return _current.set(identifier)


def reset_correlation_id(token: contextvars.Token[str | None]) -> None:
    """Back to what was current before."""
    _current.reset(token)


@contextlib.contextmanager
def correlation(identifier: str | None = None) -> Iterator[str]:
    """Do something under an id: the one given, or a new one."""
    mine = accepted(identifier)
    token = _current.set(mine)
    try:
        yield mine
    finally:
        _current.reset(token)


def carry_context_into_threads() -> None:
    """Have threads and thread pools start with the context of who starts them; done once.

    This is what Python 3.14 does with ``thread_inherit_context``. It changes
    ``threading.Thread.start`` and ``ThreadPoolExecutor.submit`` for the whole process.
    """
    if not hasattr(threading.Thread.start, "__wrapped__"):
        threading.Thread.start = _started_with_context(  # type: ignore[method-assign] # the patch
            threading.Thread.start
        )
        ThreadPoolExecutor.submit = _submitted_with_context(  # type: ignore[method-assign]
            ThreadPoolExecutor.submit
        )


def _started_with_context(start: Callable[[threading.Thread], None]) -> Any:
    @functools.wraps(start)
    def start_with_context(thread: threading.Thread) -> None:
        context = contextvars.copy_context()
        run = thread.run

        def run_in_context() -> None:
            thread.__dict__.pop("run", None)  # or thread and function would hold each other
            context.run(run)

        thread.run = run_in_context  # type: ignore[method-assign] # of this one thread
        start(thread)

    return start_with_context


def _submitted_with_context(submit: Callable[..., Future[Any]]) -> Any:
    @functools.wraps(submit)
    def submit_with_context(
        self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        context = contextvars.copy_context()
        return submit(self, context.run, function, *args, **kwargs)

    return submit_with_context
