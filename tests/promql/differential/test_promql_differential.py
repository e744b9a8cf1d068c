"""Our PromQL gives what Debian's Prometheus 2.42 gives, on the same data.

What Prometheus 3 changed is listed in ``DIFFERENT`` with the reason, beside two faults of either;
nothing else is left out.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from differential_data import END, START
from differential_grammar import expressions
from differential_servers import Query, difference
from hypothesis import HealthCheck, given, settings

pytestmark = pytest.mark.needs("prometheus")

LIST = Path(__file__).with_name("expressions.txt")
FIRST = START - 53  # 7 s after the grid of subqueries; before the first sample
LAST = END + 407  # when everything has left the lookback; off the grid, too
NOW, LATER = START + 3607.0, START + 5507.0
EXAMPLES = int(os.environ.get("PYNOMALY_DIFFERENTIAL_EXAMPLES", "300"))

DIFFERENT = {
    "increase(young_total[5m])": "3 does not extrapolate further to zero than to its threshold",
    "predict_linear(temperature[5m] @ 1700002807, 600)": "2.42 answers the first steps only",
    'count_values by (method, le, x) ("value", sgn(right))': "2.42 loses labels sorted after it",
    "count_over_time((changes((up @ 1700000407)[6m:] @ 1700002807))[6m:])": (
        "no Prometheus finds a subquery that is fixed within a subquery and of what is fixed"
    ),
    "temperature atan2 2": "2.42 keeps the metric's name",
    "requests_total > ignoring(code) requests_total{code='500'}": (
        "3 refuses many-to-one matches even where the comparison leaves one"
    ),
    "avg_over_time(extreme[5m])": "2.42 adds up without compensating what rounding loses",
    'count_values("not a label", up)': "3 takes any UTF-8 as a label's name",
    'label_replace(up, "0bad", "x", "", "")': "3 takes any UTF-8 as a label's name",
    'label_join(up, "0bad", "-", "job")': "3 takes any UTF-8 as a label's name",
    '{"requests_total"}': "3 takes quoted metric names",
    "requests_total[300]": "3 takes a number of seconds as a duration",
    "hour(odd)": "what Go makes of NaN and Inf as whole numbers is left to the processor",
}


def listed() -> Iterator[tuple[str, bool]]:
    """The expressions of the list, and whether the order of their series counts."""
    ordered = False
    for line in LIST.read_text().splitlines():
        if line.startswith("#"):
            ordered = line == "# sorted"
        elif line:
            yield line, ordered


@pytest.mark.parametrize(("expr", "ordered"), list(listed()))
def test_answers_as_prometheus(expr, ordered, theirs, ours) -> None:
    for query in (Query(expr, NOW), Query(expr, LATER), Query(expr, FIRST, LAST, 60)):
        fault = difference(theirs.ask(query), ours.ask(query), ordered=ordered and not query.step)
        assert not fault, str(query)


@settings(
    max_examples=EXAMPLES,
    derandomize="PYNOMALY_DIFFERENTIAL_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(expr=expressions())
def test_answers_as_prometheus_whatever_is_asked(expr, theirs, ours) -> None:
    for query in (Query(expr, NOW), Query(expr, FIRST, LAST, 300)):
        fault = difference(theirs.ask(query), ours.ask(query))
        assert not fault, str(query)


@pytest.mark.parametrize("expr", list(DIFFERENT))
def test_differs_only_where_prometheus_3_does(expr, theirs, ours) -> None:
    queries = Query(expr, NOW), Query(expr, FIRST, LAST, 60)
    different = [difference(theirs.ask(query), ours.ask(query)) for query in queries]
    assert any(different), f"no longer so: {DIFFERENT[expr]}"


def test_the_list_is_long_enough_to_mean_something() -> None:
    assert len(list(listed())) >= 300
