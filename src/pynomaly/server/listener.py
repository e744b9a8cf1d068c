"""HTTP listeners inside our own event loop, with our own signal handling."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Generator

import psutil
import uvicorn
from starlette.types import ASGIApp

from pynomaly.server.errors import CannotStart

_GRACE_SECONDS = 2


def bind(host: str, port: int, option: str) -> socket.socket:
    """Take a TCP port, or say who has it. Port 0 takes any free one.

    Raises:
        CannotStart: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise CannotStart(
            _why_not(error, host, port), hint=f"Choose another with {option}."
        ) from error
    sock.setblocking(False)
    return sock


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use{_by_whom(port)}."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} on {host} needs rights that this user does not have."
    return f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}."


def _by_whom(port: int) -> str:
    """Name the process, where the system lets us see it."""
    with contextlib.suppress(psutil.Error, PermissionError):
        for connection in psutil.net_connections(kind="tcp"):
            local = connection.laddr
            if (
                connection.status == psutil.CONN_LISTEN
                and local
                and local.port == port
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # signals are the product's, not a listener's: one handler stops everything in order


class Listener:
    """Serves one ASGI application on one socket."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            ws="websockets-sansio",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=_GRACE_SECONDS,
            server_header=False,
            proxy_headers=False,  # who may speak for a client is decided in access, not here
            ws_max_size=1 << 20,
        )
        self._server = _Server(config)
        self._socket = sock
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Return when requests are answered."""
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.002)

    async def close(self) -> None:
        """Take no more requests; give those under way two seconds."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
