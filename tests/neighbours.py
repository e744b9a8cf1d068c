"""What stands around the product in a test: a service that is scraped, a receiver of webhooks."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.product import Product, unused_port


class Neighbour:
    """A web server on a port of its own, which may stop and come back.

    A GET is answered with ``metrics``; what is posted stands in ``payloads``, read as JSON, and
    is answered after ``slow`` seconds.
    """

    def __init__(self, metrics: str = "") -> None:
        self.metrics = metrics
        self.payloads: list[dict[str, Any]] = []
        self.slow = 0.0
        self.port = unused_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}/"
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Answer."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> "Neighbour":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        neighbour = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(neighbour.metrics.encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                neighbour.payloads.append(json.loads(body))
                time.sleep(neighbour.slow)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def until(condition: Callable[[], object], product: Product, seconds: float = 60) -> None:
    """Wait until something is so; what the product printed says why it is not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, product.output()
        time.sleep(0.05)
