"""Unit-test files of rules: what holds, what fails and how it is said."""

import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from pynomaly.model.document import ConfigError
from pynomaly.rules.config import load_rules
from pynomaly.rules.unit_tests.document import load_tests
from pynomaly.rules.unit_tests.runner import TestResult, run_group

RULES = """
groups:
  - name: second
    rules:
      - alert: Busy
        expr: load:max > 3
        for: 2m
        labels: {severity: page, zone: "{{ $externalLabels.zone }}"}
        annotations: {summary: "{{ $labels.host }} at {{ $value }}, see {{ $externalURL }}"}
  - name: first
    rules:
      - record: load:max
        expr: max by (host) (load)
"""


async def run(text: str, rules: str = RULES) -> list[TestResult]:
    file = load_tests(textwrap.dedent(text), "x.test.yml")
    groups = load_rules(rules, "x.yml")
    with ThreadPoolExecutor(1) as executor:
        return [await run_group(i, t, file, groups, executor) for i, t in enumerate(file.tests)]


HOLDS = """
evaluation_interval: 1m
group_eval_order: [first, second]
tests:
  - name: busy for two minutes
    external_labels: {zone: eu}
    external_url: http://prom
    input_series:
      - {series: 'load{host="a",cpu="0"}', values: "1 4+1x10"}
      - {series: 'load{host="b",cpu="0"}', values: "1x5 stale"}
    alert_rule_test:
      - {eval_time: 2m, alertname: Busy}
      - eval_time: 3m30s
        alertname: Busy
        exp_alerts:
          - exp_labels: {host: a, severity: page, zone: eu}
            exp_annotations: {summary: "a at 6, see http://prom"}
    promql_expr_test:
      - expr: load:max
        eval_time: 5m
        exp_samples:
          - {labels: 'load:max{host="a"}', value: 8}
          - {labels: 'load:max{host="b"}', value: 1}
      - {expr: 'load:max{host="b"}', eval_time: 7m}
"""


async def test_alerts_and_expressions_are_held_against_what_is_expected() -> None:
    (result,) = await run(HOLDS)

    assert result.failures == []
    assert (result.name, result.assertions) == ("busy for two minutes", 4)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("a at 6, see", "a at 7, see", "alertname: Busy, time: 210s"),
        ("eval_time: 2m, ", "eval_time: 3m, ", "exp: nothing"),
        ("value: 8", "value: 9", 'got: load:max{host="a"} 8.0'),
        ("expr: load:max\n", "expr: load:max +\n", "parse error"),
        ("1x5 stale", "1x5 gone", "the points 'gone'"),
    ],
)
async def test_what_does_not_hold_is_said_with_its_place(
    before: str, after: str, said: str
) -> None:
    assert before in HOLDS
    (result,) = await run(HOLDS.replace(before, after))

    assert said in "\n".join(result.failures)


async def test_a_rule_that_cannot_be_evaluated_fails_the_test() -> None:
    rules = RULES.replace("max by (host) (load)", "load + on (host) load")

    (result,) = await run(HOLDS.replace('host="b",cpu="0"', 'host="a",cpu="1"'), rules)

    assert "rule: load:max, err: found duplicate series" in result.failures[0]


async def test_values_are_compared_to_the_last_bit_unless_fuzzily() -> None:
    text = """
    fuzzy_compare: {fuzzy}
    tests:
      - input_series: [{series: x, values: "0.1"}]
        promql_expr_test:
          - {expr: x + 0.2, eval_time: 0, exp_samples: [{labels: "{}", value: 0.3}]}
    """.replace("{}", "<>")
    exact, fuzzy = [
        (await run(text.replace("{fuzzy}", word).replace("<>", "{}"), "groups: []"))[0]
        for word in ("false", "true")
    ]

    assert "0.30000000000000004" in exact.failures[0]
    assert fuzzy.failures == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: [{nmae: x}]", "did you mean"),
        ("tests: [{alert_rule_test: [{eval_time: 1m}]}]", "alertname"),
        ("group_eval_order: [a, a]", "names 'a' twice"),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_tests(text, "x.test.yml")


async def test_times_begin_where_the_test_says() -> None:
    text = """
    tests:
      - start_timestamp: 2024-01-01T00:00:00Z
        promql_expr_test:
          - {expr: time(), eval_time: 5m, exp_samples: [{value: 1704067500}]}
      - start_timestamp: 1704067200
        input_series: [{series: x, values: "1 2"}]
        promql_expr_test:
          - {expr: timestamp(x), eval_time: 1m, exp_samples: [{labels: "{}", value: 1704067260}]}
    """
    assert [result.failures for result in await run(text, "groups: []")] == [[], []]
