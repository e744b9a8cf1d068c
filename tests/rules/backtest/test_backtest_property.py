"""Any history and any timing: the backtest and the live evaluation say the same."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

from backtest_world import START, World, changes, groups_of, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynomaly.rules.backtest.episodes import Episode

SAMPLES = st.one_of(
    st.integers(0, 3).map(float), st.sampled_from([None, None, "stale", math.nan, math.inf])
)
HISTORIES = st.dictionaries(
    st.sampled_from(["x{i=a}", "x{i=b}", "x{i=c,j=1}", "y{i=a}", "y{i=b}"]),
    st.lists(SAMPLES, min_size=1, max_size=25),
    min_size=1,
)
DURATIONS = st.sampled_from(["0s", "5s", "10s", "25s", "1m"])
EXPRESSIONS = st.sampled_from(
    [
        "x > 1",
        "2 > x",
        "x == 0",
        "x != 1",
        "x",
        "x > bool 1",
        "x > 0 and on (i) y > 0",
        "x > 0 unless on (i) y",
        "x > on (i) group_left () y",
        "y * on () x",
        "sum by (i) (x) > 1",
        "absent(x{i='a'})",
        "changes(x[35s]) > 1",
        "max_over_time((x > 0)[40s:10s]) >= 2",
        "rate(x[30s]) > 0.05",
        "x offset 15s > 0",
        "topk(1, x) > 0",
        "recorded > 1",
        "avg_over_time(recorded[30s]) > 0.5",
        "{__name__=~'x|y'} > 1",
        "count(ALERTS{alertname='First'}) > 1",
    ]
)
LABELS = st.sampled_from(["{}", "{i: same}", "{of: '{{ $labels.i }}'}", "{v: '{{ $value }}'}"])


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    rules = [
        f"      - {{record: recorded, expr: {draw(st.sampled_from(['x', 'max by (i) (x)']))}}}"
    ]
    for name in ("First", "Second"):
        rules.append(
            f'      - {{alert: {name}, expr: "{draw(EXPRESSIONS)}", for: {draw(DURATIONS)}, '
            f"keep_firing_for: {draw(DURATIONS)}, labels: {draw(LABELS)}}}"
        )
    if draw(st.booleans()):
        rules.append(rules.pop(0))
    head = f"groups:\n  - name: g\n    interval: {draw(st.sampled_from(['5s', '10s', '7s']))}\n"
    head += f"    limit: {draw(st.sampled_from([0, 0, 1, 2]))}\n"
    head += f"    query_offset: {draw(st.sampled_from(['0s', '0s', '12s']))}\n    rules:\n"
    return head + "\n".join(rules)


def extremes(found: list[Episode]) -> list[tuple[str, float, str, str]]:
    """Peaks as text: NaN equals itself there."""
    return sorted((str(e.labels), e.pending_at, str(e.low), str(e.high)) for e in found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES, rule_files())
def test_they_say_the_same(history: dict[str, list[float | str | None]], rules: str) -> None:
    asyncio.run(compare(history, rules))


async def compare(history: dict[str, list[float | str | None]], rules: str) -> None:
    with ThreadPoolExecutor(2) as executor:
        world = World(await stored(history), executor)
        planned, found = await world.backtest(groups_of(rules), START + 280)
        live = await world.live(planned)
    assert shown(changes(found)) == shown(live[0])
    assert extremes(found) == extremes(live[1])


def shown(events: list[tuple[float, str, str, float]]) -> list[tuple[float, str, str, str]]:
    return sorted((at, labels, state, str(value)) for at, labels, state, value in events)
