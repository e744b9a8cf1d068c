"""Over a Prometheus that is already there a backtest gives the same alerts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from backtest_world import SETTINGS, START, groups_of, rows_of, stored

from pynomaly.model.clock import SystemClock
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.rules.backtest.service import Backtests, Request
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.remote import RemoteAppender
from tests.peers import WRITABLE, Peer

RULES = """
    groups:
      - name: g
        interval: 7s
        rules:
          - {record: "i:x:max", expr: "max by (i) (max_over_time(x[35s]))"}
          - {alert: High, expr: x > 4, for: 15s}
          - {alert: Recorded, expr: "i:x:max > on (i) group_left () x", keep_firing_for: 20s}
          - {alert: Both, expr: 'count({__name__=~"x|i:x:max"} > 2) > 1'}
          - {alert: Gone, expr: 'absent(x{i="b"})', for: 10s}
"""
HISTORY: dict[str, list[float | str | None]] = {
    "x{i=a}": [0, 0, 5, 5, 5, 9, 5, 0, 0, 0, 6, 0, 0, 5, 5, 5, 5, 5, 5, 5],
    "x{i=b}": [0, 0, 0, 3, "stale", None, None, None, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0],
}


@pytest.mark.needs("prometheus")
async def test_the_same_as_here(program: Callable[[str], str], tmp_path: Path) -> None:
    options = [WRITABLE, "--query.lookback-delta=40s"]
    peer = Peer("prometheus", program("prometheus"), tmp_path, *options)
    client = PeerClient(PeerSettings(url=peer.url), SystemClock())
    request = Request(groups_of(RULES), START, START + 250)
    try:
        peer.start()
        watch = PeerWatch(client)
        await watch.check()
        await RemoteAppender(client, watch).append(SampleBatch.of(rows_of(HISTORY)))
        querier = RemoteQuerier(PeerApi(client), watch)
        there = await Backtests(querier, query=SETTINGS).run(request)
    finally:
        await client.close()
        peer.kill()
    with ThreadPoolExecutor(2) as executor:
        local = LocalQuerier(await stored(HISTORY), executor, SETTINGS)
        here = await Backtests(local, query=SETTINGS).run(request)
    assert [rule.events for rule in there.rules] == [rule.events for rule in here.rules]
    assert all(rule.fired for rule in here.rules)
