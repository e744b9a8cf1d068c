"""No answers before there is something to answer from."""

from collections.abc import Awaitable, Callable

from pynomaly.model.errors import PynomalyError


class Starting(PynomalyError):
    """The server does not answer yet."""

    status = 503
    kind = "unavailable"


def ready_only(ready: Callable[[], bool]) -> Callable[[], Awaitable[None]]:
    """A dependency of routes that refuses until ``ready()``; raises ``Starting``."""

    async def require_ready() -> None:
        if not ready():
            raise Starting("the server is starting", hint="Try again in a few seconds.")

    return require_ready
