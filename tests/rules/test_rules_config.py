"""Rule files: what is read, and how a fault is said."""

import pytest

from pynomaly.model.document import ConfigError
from pynomaly.rules.config import load_rules

WHOLE = """
groups:
  - name: hosts
    interval: 30s
    limit: 10
    query_offset: 1m
    labels: {team: ops}
    rules:
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 10m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is down"}
      - record: job:up:sum
        expr: sum by (job) (up)
  - name: rest
    rules: []
"""


def test_a_file_is_read_whole() -> None:
    hosts, rest = load_rules(WHOLE, "rules.yml")
    assert (hosts.name, hosts.interval, hosts.limit, hosts.query_offset) == ("hosts", 30, 10, 60)
    down, recorded = hosts.rules
    assert (down.alert, down.expr, down.hold, down.keep_firing_for) == ("Down", "up == 0", 300, 600)
    assert hosts.labels_of(down) == {"team": "ops", "severity": "critical"}
    assert (recorded.record, recorded.expr) == ("job:up:sum", "sum by (job) (up)")
    assert (rest.rules, rest.interval, rest.key) == ((), None, "rules.yml;rest")


def rule(text: str) -> str:
    return f"groups:\n- name: g\n  rules:\n  - {text}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rule("alert: A\n    expr: rate(x[5m) > 1"), r"r\.yml:5: .*could not parse.*1:10"),
        (rule("alert: A\n    exper: up"), r"r\.yml:5: unknown key .*exper.*did you mean 'expr'"),
        (rule("alert: A\n    expr: up\n    for: soon"), r"r\.yml:6: .*'soon' is not a duration"),
        (rule("expr: up"), r"r\.yml:4: .*either 'alert' or 'record'"),
        (rule("alert: A\n    record: b\n    expr: up"), "either 'alert' or 'record'"),
        (rule("record: b\n    expr: up\n    for: 5m"), "'for' is for alerting rules"),
        (rule("record: sum(x)\n    expr: up"), r"'sum\(x\)' is not a metric name"),
        (rule("alert: A\n    expr: up\n    labels: {a-b: c}"), "'a-b' is not a label name"),
        (rule("alert: A\n    expr: up[5m]"), "instant vector or a scalar"),
        (rule("alert: A"), r"r\.yml:4: .*expr' is missing"),
        ("groups:\n- name: g\n- name: g\n", "the group 'g' occurs twice"),
        ("groups:\n- name: g\n  interval: 0\n", "longer than 0"),
        ("groups:\n- name: ''\n", r"r\.yml:2"),
        ("groups: [", r"r\.yml:1: not valid YAML"),
    ],
)
def test_a_fault_says_its_line_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_rules(text, "r.yml")


def test_every_fault_of_a_file_is_said_at_once() -> None:
    text = rule("alert: A\n    expr: '('") + "- name: h\n  rules: [{alert: B, expr: ')'}]\n"
    with pytest.raises(ConfigError) as caught:
        load_rules(text, "r.yml")
    assert len(str(caught.value).splitlines()) == 2


def test_a_number_is_an_expression() -> None:
    ((group,)) = load_rules(rule("alert: Always\n    expr: 1"), "r.yml")
    assert group.rules[0].expr == "1"


def test_a_template_that_does_not_parse_is_refused_with_its_place() -> None:
    text = """
groups:
- name: g
  rules:
  - alert: Down
    expr: up == 0
    annotations:
      summary: '{{ $labels.job } is down'
"""
    with pytest.raises(ConfigError, match=r"r.yml:5.*'summary' is not a template: .*unexpected"):
        load_rules(text, "r.yml")
