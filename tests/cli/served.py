"""Routes of the API on a port of their own, for commands that ask them."""

import asyncio
import socket
import threading
from collections.abc import Sequence

import uvicorn
from fastapi import APIRouter
from typer.testing import CliRunner

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api.app import create_app
from pynomaly.cli.commands import app


class Served:
    """Serves until it is closed; ``run`` is a command of the group ``command`` that asks it."""

    def __init__(self, command: str, routers: Sequence[APIRouter]) -> None:
        self.command = command
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()  # whoever connects before it serves waits
        self.port = self.socket.getsockname()[1]
        gate = Gate(AccessSettings(), ports=[self.port])
        guarded = AccessMiddleware(create_app(list(routers)), gate, None)
        self.server = uvicorn.Server(uvicorn.Config(guarded, log_level="warning", lifespan="off"))
        serve = self.server.serve
        self.thread = threading.Thread(target=lambda: asyncio.run(serve([self.socket])))
        self.thread.start()

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        url = f"http://127.0.0.1:{self.port}"
        done = CliRunner().invoke(app, [self.command, *arguments, "--url", url])
        return done.exit_code, done.output
