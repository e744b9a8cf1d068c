"""The endpoints on a port of their own, for what has no HTTP server: workers and jobs."""

import socketserver
import threading
import wsgiref.simple_server
from typing import Any

from pynomaly.observability.health.endpoints import Endpoints
from pynomaly.observability.health.monitor import HealthMonitor
from pynomaly.observability.health.mount import WsgiEndpoints
from pynomaly.observability.metrics.collector import MetricsCollector


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        """Probes and scrapes are no news."""


class Served:
    """A server in a thread; ``port`` is where it listens, ``close`` ends it."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.port = server.server_port
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.1,), name="pynomaly-serve", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def serve(
    port: int,
    monitor: HealthMonitor | None = None,
    metrics: MetricsCollector | None = None,
    *,
    host: str = "127.0.0.1",
) -> Served:
    """Answer ``/metrics`` and ``/api/health/…`` on a port, from a thread.

    ``port`` 0 takes a free one; ``host`` is this machine only unless it is said. Raises OSError if
    the port is taken.
    """
    app = WsgiEndpoints(_not_found, Endpoints(monitor, metrics))
    server = wsgiref.simple_server.make_server(host, port, app, _Server, _Handler)
    return Served(server)


def _not_found(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"Here are /metrics, /api/health/live and /api/health/ready.\n"]
