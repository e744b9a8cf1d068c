"""The rule manager, its clock moved by hand, says what a backtest says."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from backtest_world import SETTINGS, START, World, changes, groups_of, stored

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.manager import RuleManager
from pynomaly.storage.bus import Bus
from pynomaly.storage.scheduler import Scheduler

RULES = """
    groups:
      - name: fast
        interval: 10s
        rules:
          - {record: most, expr: max by (i) (x)}
          - {alert: High, expr: most > 1, for: 20s, keep_firing_for: 15s, labels: {severity: page}}
          - {alert: Gone, expr: 'absent(x{i="b"})', for: 10s}
      - name: slow
        interval: 25s
        rules:
          - {alert: Both, expr: 'count(most > 0) > 1'}
"""
HISTORY = {
    "x{i=a}": [0, 2, 2, 2, 2, 0, 2, 0, 0, 0, 3, 3, 3, 3, 3, 0, 0, 2, 2, 2],
    "x{i=b}": [1, 1, 1, 1, "stale", None, None, None, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0],
}
END = START + 250


class AtOnce(Executor):
    """Runs what is submitted in the calling thread, so that a turn of the loop finishes it."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


async def test_the_manager_says_the_same() -> None:
    store = await stored(HISTORY)
    with ThreadPoolExecutor(1) as executor:
        _, found = await World(store, executor).backtest(groups_of(RULES), END)
    expected = changes(e for e in found if e.pending_at >= START)
    # Begin where the backtest begins: with what `for` and windows reach back over.
    clock = FakeClock(START - 1)
    bus = Bus(clock)
    scheduler = Scheduler(clock)
    querier = LocalQuerier(store, AtOnce(), SETTINGS)
    manager = RuleManager(querier, store, bus, clock, scheduler)
    with bus.subscribe({"alerts"}, capacity=10_000) as messages:
        await manager.apply(groups_of(RULES))
        while clock.now() < END:
            await clock.advance(0.5)
        await manager.close()
        await scheduler.close()
        said = [
            (message.at, str(Labels(each["labels"])), each["state"])
            for message in messages._queue
            for each in message.data["changed"]
        ]
    assert sorted(said) == sorted((at, labels, state) for at, labels, state, _ in expected)
    assert {state for _, _, state in said} == {"pending", "firing", "inactive"}
