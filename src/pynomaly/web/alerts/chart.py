"""What to draw of an alert: its rule's expression, of its own series only."""

import re
from collections.abc import Sequence
from typing import Any

from pynomaly.model.alert import Alert
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels, quoted
from pynomaly.promql.parser import parse
from pynomaly.promql.printer import to_text
from pynomaly.rules.backtest.threshold import comparison_of
from pynomaly.rules.evaluate import RuleState
from pynomaly.rules.group import GroupRunner
from pynomaly.web.alerts.board import expression_of

Snapshot = dict[str, Any]

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def chart_of(alert: Alert, groups: Sequence[GroupRunner]) -> Snapshot | None:
    """The expression without its comparison, the number as a threshold; None if it has none.

    Of an alert of our rules only its own series is drawn, found by the labels that its rule
    did not add.
    """
    state = rule_of(alert, groups)
    expr = state.rule.expr if state is not None else expression_of(alert.generator_url)
    if not expr:
        return None
    try:
        found = comparison_of(parse(expr))
    except PynomalyError:
        return None  # of another system, in a language that is not PromQL
    base = to_text(found.base) if found is not None else expr
    drawn = base if state is None else narrowed(base, _series_labels(alert, state))
    return {
        "expr": drawn,
        "rule": expr,
        "threshold": found.value if found is not None else None,
        "op": found.op if found is not None else "",
    }


def rule_of(alert: Alert, groups: Sequence[GroupRunner]) -> RuleState | None:
    """The rule that found an alert."""
    for runner in groups:
        for state in runner.rules:
            if state.rule.alert == alert.name and any(
                each.labels == alert.labels for each in state.alerts.active()
            ):
                return state
    return None


def _series_labels(alert: Alert, state: RuleState) -> Labels:
    added = {"alertname", *state.labels}
    return Labels({n: v for n, v in alert.labels.items() if n not in added})


def narrowed(expr: str, labels: Labels) -> str:
    """The series of an expression that have these labels, whatever the expression is.

    >>> narrowed("up", Labels({"job": "a"}))
    '(up) and on (job) label_replace(vector(1), "job", "a", "", "")'
    """
    wanted = {n: v for n, v in labels.items() if _LABEL.fullmatch(n)}
    if not wanted:
        return expr
    one = "vector(1)"
    for name, value in wanted.items():
        # A dollar sign would name a group of the regular expression.
        text = quoted(value.replace("$", "$$"))
        one = f'label_replace({one}, "{name}", {text}, "", "")'
    return f"({expr}) and on ({', '.join(wanted)}) {one}"
