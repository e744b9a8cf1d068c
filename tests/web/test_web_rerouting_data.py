"""What the page of routing backtests is sent while one runs."""

import asyncio
from collections.abc import Callable
from typing import Any

from pynomaly.alerting.backtest.service import RoutingBacktestBody, RoutingBacktests
from pynomaly.web.alerts.rerouting import told


class Slow(RoutingBacktests):
    """One that is half-way for as long as nobody stops it."""

    def __init__(self) -> None:
        self.stopped = False

    async def run(self, body: RoutingBacktestBody, progress: Callable[[float], None]) -> Any:
        progress(0.5)
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped = True


async def test_it_says_how_far_it_is_and_ends_when_nobody_listens() -> None:
    slow = Slow()
    lines = told(slow, RoutingBacktestBody())
    assert await anext(lines) == {"progress": 0.5}
    assert not slow.stopped
    await lines.aclose()
    assert slow.stopped
