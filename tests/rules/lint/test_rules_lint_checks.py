"""Each check on what it must find, and on its like that is right."""

from typing import Any

import pytest

from pynomaly.rules.lint.linter import lint, read_file

HEAD = "groups:\n  - name: g\n    rules:\n"


def findings(expr: str, more: str = "", types: dict[str, str] | None = None) -> list[Any]:
    text = f"{HEAD}      - alert: A\n        expr: {expr!r}\n{more}"
    return lint([read_file(text, "rules.yml")], types)


def checks(expr: str, more: str = "", types: dict[str, str] | None = None) -> list[str]:
    return [finding.check for finding in findings(expr, more, types)]


@pytest.mark.parametrize(
    ("expr", "instead"),
    [
        (
            'rate(x_total{code!~"5.."}[5m]) / rate(x_total[5m]) < 0.99',
            'sum(rate(x_total{code!~"5.."}[5m])) / sum(rate(x_total[5m]))',
        ),
        ('x{a="b"} / x', 'sum(x{a="b"}) / sum(x)'),
    ],
)
def test_a_ratio_of_series_with_themselves_is_found_and_corrected(expr: str, instead: str) -> None:
    (finding,) = findings(expr)

    assert (finding.check, finding.suggestion) == ("ratio-of-itself", instead)
    assert finding.line == 4


@pytest.mark.parametrize(
    "expr",
    [
        'sum(rate(x_total{code="500"}[5m])) / sum(rate(x_total[5m]))',
        'rate(x_total{code="500"}[5m]) / ignoring (code) group_left sum without (code) (x_total)',
        "errors / requests",
        'x{a="b"} / x{a="c"}',
        "(node_size_bytes - node_free_bytes) / node_size_bytes",
    ],
)
def test_a_ratio_of_different_things_is_fine(expr: str) -> None:
    assert checks(expr) == []


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("histogram_quantile(0.9, x_bucket) > 1", ["quantile-without-rate"]),
        ("histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m])))", ["quantile-without-le"]),
        ("histogram_quantile(0.9, sum by (job, le) (rate(x_bucket[5m])))", []),
        ("histogram_quantile(0.9, sum without (pod) (rate(x_bucket[5m])))", []),
        ("histogram_quantile(0.9, job:x_bucket:rate5m)", []),
    ],
)
def test_quantiles_need_a_rate_and_le(expr: str, found: list[str]) -> None:
    assert checks(expr) == found


def test_a_lost_le_is_put_back() -> None:
    (finding,) = findings("histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m])))")

    assert finding.suggestion == "histogram_quantile(0.9, sum by (le, job) (rate(x_bucket[5m])))"


@pytest.mark.parametrize(
    ("expr", "types", "found"),
    [
        ("rate(queue[5m]) > 1", {"queue": "gauge"}, ["rate-of-gauge"]),
        ("rate(queue[5m]) > 1", {"queue": "counter"}, []),
        ("rate(queue[5m]) > 1", {}, []),
        ("rate(disk_used_percent[5m]) > 1", {}, ["rate-of-gauge"]),
        ("rate(disk_used_percent[5m]) > 1", {"disk_used_percent": "counter"}, []),
        ("delta(jobs_total[5m]) > 1", {}, ["gauge-function-of-counter"]),
        ("delta(jobs_total[5m]) > 1", {"jobs_total": "gauge"}, []),
        ("predict_linear(free_bytes[1h], 3600) < 0", {}, []),
        ("errors_total > 0", {}, ["threshold-on-counter"]),
        ("nodes_total > 0", {}, []),
        ("nodes_total > 0", {"nodes_total": "counter"}, ["threshold-on-counter"]),
        ("increase(errors_total[5m]) > 0", {"errors_total": "counter"}, []),
    ],
)
def test_functions_fit_the_type_of_the_metric(
    expr: str, types: dict[str, str], found: list[str]
) -> None:
    assert checks(expr, types=types) == found


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("up > 1", "never true"),
        ("up >= 0", "always true"),
        ("min by (job) (up) == 2", "never true"),
        ("avg_over_time(up[5m]) < 0", "never true"),
        ("absent(x) == 0", "never true"),
        ("(x > bool 1) <= 1", "always true"),
    ],
)
def test_a_comparison_that_can_only_go_one_way_is_found(expr: str, said: str) -> None:
    (finding,) = findings(expr)

    assert finding.check == "impossible-comparison"
    assert said in finding.message


@pytest.mark.parametrize(
    "expr", ["up == 0", "up < 1", "sum(up) > 5", "avg_over_time(up[5m]) < 0.5"]
)
def test_a_comparison_that_can_go_both_ways_is_fine(expr: str) -> None:
    assert checks(expr) == []


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("sum by (a) (x) / sum by (b) (y)", ["join-label-mismatch"]),
        ("sum by (a) (x) / on (b) sum by (b) (y)", ["join-label-mismatch"]),
        ("sum by (a, b) (x) / on (a) group_left sum by (a) (y)", []),
        ("sum by (a) (x) / ignoring (b) sum by (a, b) (y)", []),
        ("sum by (a) (x) / sum by (a) (y)", []),
        ("sum(x) / sum(y)", []),
        ("x * on (pod) group_left (node) kube_pod_info", []),
        ("sum by (a) (x) or sum by (b) (y)", []),
        ("absent(x) and on () up", []),
    ],
)
def test_joins_need_labels_that_both_sides_have(expr: str, found: list[str]) -> None:
    assert checks(expr) == found


@pytest.mark.parametrize(
    ("expr", "text", "names"),
    [
        ("sum by (job) (x) > 1", "{{ $labels.instance }} of {{ $labels.job }}", ["instance"]),
        ("sum(x) > 1", "{{ .Labels.job }}", ["job"]),
        ('absent(up{job="a"})', "{{ $labels.job }} {{ $labels.instance }}", ["instance"]),
        ("x > 1", "{{ $labels.anything }}", []),
        ('count_values("v", x) > 1', "{{ $labels.v }}", []),
        ('label_replace(sum(x), "a", "b", "", "") > 1', "{{ $labels.a }}", []),
        ("x * on (pod) group_left (node) sum by (pod, node) (y)", "{{ $labels.node }}", []),
        ("topk(3, x) > 1", "{{ $labels.pod }}", []),
    ],
)
def test_templates_name_labels_that_are_there(expr: str, text: str, names: list[str]) -> None:
    found = findings(expr, f"        annotations: {{summary: {text!r}}}\n")

    assert [f.check for f in found] == ["template-label-dropped"] * len(names)
    assert all(f"the label {name}," in f.message for f, name in zip(found, names, strict=True))


def test_a_rule_that_is_there_twice_is_found_once() -> None:
    rule = "      - alert: A\n        expr: up == 0\n"
    (finding,) = lint([read_file(HEAD + rule + rule, "rules.yml")])

    assert (finding.check, finding.line) == ("repeated-rule", 6)


@pytest.mark.parametrize(
    "text",
    [
        "      # pynomaly:ignore impossible-comparison -- we know\n      - alert: A\n"
        "        expr: up > 1\n",
        "      - alert: A\n        expr: up > 1  # pynomaly:ignore impossible-comparison\n",
        "      - alert: A\n        # pynomaly:ignore quantile-without-le, impossible-comparison\n"
        "        expr: up > 1\n",
    ],
)
def test_a_comment_disables_a_check_on_its_rule_alone(text: str) -> None:
    other = "      - alert: B\n        expr: up > 2\n"

    found = lint([read_file(HEAD + text + other, "rules.yml")])

    assert [finding.rule for finding in found] == ["B"]


def test_a_comment_that_disables_nothing_known_is_found() -> None:
    text = "      - alert: A\n        expr: up == 0  # pynomaly:ignore imposible-comparison\n"

    (finding,) = lint([read_file(HEAD + text, "rules.yml")])

    assert finding.check == "unknown-check"
    assert "imposible-comparison" in finding.message
