"""A backtest says event for event what a live evaluation of the same data says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from backtest_world import START, World, changes, groups_of, stored


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


HISTORY = {
    "x{i=a}": [0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, None, None, 0, 1, "stale", 1, 1, 1],
    "x{i=b}": [1, 1, 1, float("nan"), 1, 1, 1, 1, 2, 2, 3, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    "y{i=a,j=1}": [0, 0, 0, 5, 5, 5, 5, 5, 0, 0, 0, 0, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
}
END = START + 300

RULES = {
    "plain": "{alert: A, expr: x > 0}",
    "for": "{alert: A, expr: x > 0, for: 25s}",
    "keep": "{alert: A, expr: x > 0, for: 10s, keep_firing_for: 25s}",
    "keep only": "{alert: A, expr: x == 1, keep_firing_for: 1m}",
    "literal first": "{alert: A, expr: 1 <= x}",
    "no comparison": "{alert: A, expr: x}",
    "bool": "{alert: A, expr: x > bool 0, for: 20s}",
    "scalar": "{alert: A, expr: '1', for: 30s}",
    "absent": "{alert: A, expr: 'absent(x{i=\"a\"})', for: 10s}",
    "and": "{alert: A, expr: 'x > 0 and on (i) y > 1', for: 10s}",
    "window": "{alert: A, expr: 'sum by (i) (count_over_time(x[35s])) < 4'}",
    "label of the series": "{alert: A, expr: x > 0, labels: {of: '{{ $labels.i }}'}}",
    "label of the value": "{alert: A, expr: x > 0, for: 10s, labels: {v: '{{ $value }}'}}",
    "two series one alert": "{alert: A, expr: 'x > 0', labels: {i: same}}",
    "name is dropped": "{alert: A, expr: '{__name__=~\"x|y\"} > 0', labels: {j: same}}",
    "at the end": "{alert: A, expr: 'x @ end() > 0', for: 10s}",
    "fails at times": "{alert: A, expr: 'vector(1) * on () (x > 0)', for: 10s}",
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("interval", ["10s", "7s", "500ms"])
async def test_one_rule(rule: str, interval: str, executor: ThreadPoolExecutor) -> None:
    world = World(await stored(HISTORY), executor)
    text = f"groups: [{{name: g, interval: {interval}, rules: [{rule}]}}]"
    planned, found = await world.backtest(groups_of(text), END)
    live, _ = await world.live(planned)
    assert changes(found) == live
    assert live


GROUPS = {
    "limit": """
        groups:
          - {name: g, interval: 10s, limit: 1, rules: [{alert: A, expr: x > 0, for: 10s}]}
    """,
    "limit of a recording rule": """
        groups:
          - name: g
            interval: 10s
            limit: 1
            rules: [{record: r, expr: x > 0}, {alert: A, expr: count(r) > 0}]
    """,
    "recorded and read in one group": """
        groups:
          - name: g
            interval: 10s
            labels: {team: ops}
            rules:
              - {record: "i:x:max", expr: max by (i) (x)}
              - {record: "all:x:max", expr: "max(avg_over_time(i:x:max[40s]))"}
              - {alert: A, expr: "i:x:max > on () group_left () all:x:max", for: 10s}
              - {alert: B, expr: 'rate(i:x:max[1m]) > 0 or y > 1'}
    """,
    "recorded in another group": """
        groups:
          - {name: g, interval: 15s, rules: [{alert: A, expr: "sum(i:x:max) > 1", for: 20s}]}
          - {name: h, interval: 10s, rules: [{record: "i:x:max", expr: max by (i) (x)}]}
    """,
    "recorded with an offset": """
        groups:
          - {name: g, interval: 15s, rules: [{alert: A, expr: "sum(r) > 1", for: 20s}]}
          - {name: h, interval: 10s, query_offset: 20s, rules: [{record: r, expr: x}]}
    """,
    "query offset": """
        groups:
          - {name: g, interval: 15s, query_offset: 25s, rules: [{alert: A, expr: x > 0}]}
    """,
    "a rule that reads itself": """
        groups:
          - name: g
            interval: 10s
            rules:
              - {record: total, expr: "(total or vector(0)) + 1"}
              - {alert: A, expr: total % 7 < 3, for: 10s}
    """,
    "read before it is recorded": """
        groups:
          - name: g
            interval: 10s
            rules:
              - {alert: A, expr: r > 0, for: 20s}
              - {record: r, expr: x}
    """,
    "alerts of other rules": """
        groups:
          - name: g
            interval: 10s
            rules:
              - {alert: A, expr: x > 0, for: 15s}
              - {alert: B, expr: 'count(ALERTS{alertname="A", alertstate="firing"}) > 1'}
              - {alert: C, expr: 'ALERTS{alertname=~"A|B", alertstate="firing"}', for: 10s}
              - {alert: D, expr: 'time() - ALERTS_FOR_STATE{alertname="A"} > 30'}
    """,
    "recorded twice": """
        groups:
          - name: g
            interval: 10s
            rules:
              - {record: r, expr: x, labels: {i: same}}
              - {alert: A, expr: r > 0}
    """,
    "recorded by a selector of many": """
        groups:
          - name: g
            interval: 10s
            rules:
              - {record: "x:r", expr: x > 0}
              - {alert: A, expr: 'count({__name__=~"x.*"}) > 2', for: 10s}
    """,
    "two groups": """
        groups:
          - {name: g, interval: 15s, rules: [{alert: A, expr: x > 0, for: 20s}]}
          - {name: h, interval: 8s, rules: [{alert: B, expr: y > 0, for: 20s}]}
    """,
}


@pytest.mark.parametrize("text", GROUPS.values(), ids=GROUPS.keys())
async def test_groups(text: str, executor: ThreadPoolExecutor) -> None:
    world = World(await stored(HISTORY), executor)
    planned, found = await world.backtest(groups_of(text), END)
    live, _ = await world.live(planned)
    assert changes(found) == live
    assert live
