"""The rule manager, its clock moved by hand, says what a backtest says."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from backtest_world import SETTINGS, START, World, changes, groups_of, stored

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.plan import Plan
from pynomaly.rules.backtest.service import Backtests, Request
from pynomaly.rules.manager import RuleManager
from pynomaly.storage.bus import Bus
from pynomaly.storage.scheduler import Scheduler

RULES = """
    groups:
      - name: fast
        interval: 10s
        rules:
          - {record: most, expr: max by (i) (x)}
          - alert: High
            expr: most > 1
            for: 20s
            keep_firing_for: 15s
            labels: {severity: page}
            annotations:
              summary: "{{ $labels.i }} of {{ $labels.__name__ }} is {{ $value | humanize }}"
              others: '{{ range query "sum(y)" }}{{ .Value }}{{ end }}'
          - {alert: Gone, expr: 'absent(x{i="b"})', for: 10s}
      - name: slow
        interval: 25s
        rules:
          - {alert: Both, expr: 'count(most > 0) > 1'}
"""
HISTORY = {
    "y": [float(n) for n in range(20)],
    "x{i=a}": [0, 2, 2, 2, 2, 0, 2, 0, 0, 0, 3, 3, 3, 3, 3, 0, 0, 2, 2, 2],
    "x{i=b}": [1, 1, 1, 1, "stale", None, None, None, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0],
}
END = START + 250


class AtOnce(ThreadPoolExecutor):
    """Runs what is submitted in the calling thread, so that a turn of the loop finishes it."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def due(planned: Plan, alert: str, at: float) -> float:
    """The evaluation that was finished at a time: its queries may have taken a turn or two."""
    (member,) = (m for m in planned.members if m.rule.alert == alert)
    return max(t for t in member.schedule.times.tolist() if t <= at)


async def test_the_manager_says_the_same() -> None:
    store = await stored(HISTORY)
    with ThreadPoolExecutor(1) as executor:
        world = World(store, executor)
        planned, found = await world.backtest(groups_of(RULES), END)
        request = Request(groups_of(RULES), START, END)
        result = await Backtests(world.querier, query=SETTINGS).run(request)
    expected = changes(e for e in found if e.pending_at >= START)
    asyncio.get_running_loop().set_default_executor(AtOnce())
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
        said = {
            (
                due(planned, each["labels"]["alertname"], message.at),
                str(Labels(each["labels"])),
                each["state"],
            ): each["annotations"]
            for message in messages._queue
            for each in message.data["changed"]
        }
    assert sorted(said) == sorted((at, labels, state) for at, labels, state, _ in expected)
    assert {state for _, _, state in said} == {"pending", "firing", "inactive"}
    told = [
        (event.annotations, said[event.pending_at, str(Labels(event.labels)), "pending"])
        for event in result.rules[0].events
    ]
    assert told
    assert all(here == there for here, there in told)
    assert all("of most is" in here["summary"] and here["others"] for here, _ in told)
