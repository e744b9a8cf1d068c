"""``pynomaly up``: runs the server, and says what runs where."""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from pynomaly import __version__
from pynomaly.cli.output import err, out
from pynomaly.model.clock import SystemClock
from pynomaly.server.config import load_configuration
from pynomaly.server.logs import configure
from pynomaly.server.service import Service

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SWITCH_SECONDS = 0.001
"""How long a thread keeps the interpreter while others wait. By Python's 5 ms a commit, which takes
three turns, waits 35 ms while two queries calculate; by one it waits 5, and nothing takes longer.
"""


def run_until_stopped(config: Path | None, options: Mapping[str, Any]) -> None:
    """Start, announce, wait for a signal, stop in order.

    Raises:
        PynomalyError: it cannot start; the message says why and what to do.
    """
    configuration, notes = load_configuration(config, os.environ, options)
    configure(configuration.logging.level)
    sys.setswitchinterval(_SWITCH_SECONDS)
    for note in notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)

    def again() -> Any:
        return load_configuration(config, os.environ, options)[0]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Service(configuration, again, SystemClock())))


async def _serve(service: Service) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, stopping.set)
    began = time.monotonic()
    starting = asyncio.create_task(service.start(_say))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if starting.done():
            await starting
            loop.add_signal_handler(signal.SIGHUP, service.reload_soon)
            _announce(service, time.monotonic() - began)
            gc.freeze()  # what is there now stays: later collections need not look at it
            gc.set_threshold(10_000, 20, 20)  # a full one takes .3 s among 10,000 alerts
            await waiting
        _say("Stopping …")
    finally:
        waiting.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
        await service.stop()
    _say("Stopped; everything acknowledged is stored.")


def _say(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)


def _announce(service: Service, seconds: float) -> None:
    pages, api = service.web_url, service.api_url
    _say(
        f"\nPynomaly {__version__} is up after {seconds:.1f} s\n\n"
        f"  {pages}  what people see\n"
        f"  {api}  what machines speak: Prometheus's API, remote write, JSON\n"
        f"  {service.place}\n\n"
        "Three things to try:\n\n"
        f"  1. open {pages}: this machine and Pynomaly itself, live\n"
        f"  2. curl '{api}/api/v1/query?query=up'\n"
        f"  3. curl {api}/api/metrics -d "
        '\'{"metric_name": "orders_total", "value": 42}\'\n'
        f"     and look at it: {pages}/explore?q=orders_total\n\n"
        "Ctrl-C stops it."
    )
