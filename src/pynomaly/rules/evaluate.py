"""One rule: from the answer to its expression to alerts and series."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.promql.contract import Matrix, Querier, QueryError, QueryResult, Scalar
from pynomaly.rules.config import Rule, RuleGroup
from pynomaly.rules.state import AlertSet, Finding, Seed, Timing
from pynomaly.rules.template import NOWHERE, Outside, Text, expand, expand_all

ALERTS = "ALERTS"
FOR_STATE = "ALERTS_FOR_STATE"

_AT_ONCE = 500
"""Alerts worked out before others get their turn."""

Link = Callable[[str], str]
"""From an expression to the page that shows it."""


class LimitExceeded(PynomalyError):
    """A rule gave more series than its group allows; its alerts are forgotten."""

    status = 422
    kind = "execution"


def explore_link(external_url: str) -> Link:
    """Links to the query explorer of the pages at ``external_url``."""
    return lambda expr: f"{external_url.rstrip('/')}/explore?q={quote(expr, safe='')}"


@dataclass(slots=True, eq=False)
class RuleState:
    """A rule and how it is doing. Times are epoch seconds, 0 before the first evaluation."""

    rule: Rule
    labels: Mapping[str, str]
    """Those that the rule and its group add."""
    alerts: AlertSet
    health: str = "unknown"
    last_error: str = ""
    last_evaluation: float = 0.0
    evaluation_seconds: float = 0.0
    series: set[Labels] = field(default_factory=set)
    """What the last evaluation wrote."""
    found: int = 0
    """How many series the last answer to its expression had."""
    value: float | None = None
    """The greatest value of that answer; None if there was no number."""
    settled: bool = False
    """Whether it has been evaluated well since it was loaded."""
    unanswered_since: float = 0.0
    """When evaluations began to fail since nobody answered; 0 when the last was answered."""
    names: dict[Labels, tuple[AlertState, Labels, Labels]] = field(default_factory=dict)
    """The series by which the last evaluation told of each alert, and its state then."""

    @classmethod
    def of(cls, rule: Rule, group: RuleGroup) -> "RuleState":
        """A rule that has not been evaluated yet."""
        return cls(rule, group.labels_of(rule), AlertSet(Timing(rule.hold, rule.keep_firing_for)))

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """What a rule keeps when its expression or its times are edited."""
        return self.rule.alert, self.rule.record, tuple(sorted(self.labels.items()))

    @property
    def state(self) -> str:
        """The gravest state of its alerts, in Prometheus's words."""
        if not self.last_evaluation:
            return "unknown"
        states = {alert.state for alert in self.alerts.active()}
        grave = (s for s in (AlertState.FIRING, AlertState.PENDING) if s in states)
        return next(grave, AlertState.INACTIVE).value

    def adopt(self, other: "RuleState") -> None:
        """Go on where the rule that this one replaces stopped."""
        self.alerts.adopt(other.alerts)
        self.health, self.last_error = other.health, other.last_error
        self.last_evaluation, self.evaluation_seconds = (
            other.last_evaluation,
            other.evaluation_seconds,
        )
        self.series = other.series
        self.found, self.value = other.found, other.value
        self.settled = other.settled
        self.unanswered_since = other.unanswered_since

    def owns(self, labels: Labels) -> bool:
        """Whether an alert of these labels can be one of this rule's."""
        fixed = {n: v for n, v in self.labels.items() if "{{" not in v}
        fixed["alertname"] = self.rule.alert
        return all(labels.get(n, "") == v for n, v in fixed.items())

    def restore(self, seeds: Mapping[Labels, Seed], now: float, grace: float, link: Link) -> None:
        """Take over the alerts that this rule had before a restart."""
        mine = {
            labels: (self.finding(labels, math.nan, link), seed)
            for labels, seed in seeds.items()
            if self.owns(labels)
        }
        self.alerts.restore(mine, now, grace)
        self.unanswered_since = 0.0  # what is restored knows how long nobody looked

    def finding(self, labels: Labels, value: float, link: Link) -> Finding:
        """What is known of an alert with these labels and value."""
        annotations = {
            n: expand(self.rule.alert, t, labels, value) for n, t in self.rule.annotations.items()
        }
        return Finding(value, Labels(annotations), link(self.rule.expr))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation gave: series to write, and the alerts that changed."""

    series: Mapping[Labels, float]
    changed: list[Alert] = field(default_factory=list)


async def evaluate(
    state: RuleState,
    querier: Querier,
    now: float,
    offset: float,
    limit: int,
    link: Link,
    outside: Outside = NOWHERE,
) -> Outcome:
    """Evaluate a rule for the time ``now - offset`` and advance its alerts to ``now``.

    ``outside`` is what templates see besides the alerts.

    Raises:
        QueryError: the expression cannot be answered, or gives one label set twice.
        LimitExceeded: it gave more than ``limit`` series (0: any number).
    """
    began = time.perf_counter()
    try:
        answer = await querier.instant(state.rule.expr, round((now - offset) * 1000))
        rows = vector(answer)
        numbers = [value for _, value in rows if not math.isnan(value)]
        state.found, state.value = len(rows), max(numbers, default=None)
        if state.rule.alert:
            findings = await _findings(state, rows, querier, now, link, outside)
            return _alerting(state, findings, now, limit)
        return _recording(state, rows, limit)
    finally:
        state.evaluation_seconds = time.perf_counter() - began
        state.last_evaluation = now


async def _findings(
    state: RuleState,
    rows: Sequence[tuple[Labels, float]],
    querier: Querier,
    now: float,
    link: Link,
    outside: Outside,
) -> dict[Labels, Finding]:
    annotations = state.rule.annotations
    # Templates see the labels of the series, not those that the rule adds.
    templates = (*state.labels.values(), *annotations.values())
    texts = [Text(template, *row) for row in rows for template in templates]
    expanded = iter(await expand_all(state.rule.alert, texts, querier, now, outside))
    findings: dict[Labels, Finding] = {}
    where = link(state.rule.expr)
    for number, (labels, value) in enumerate(rows):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        added = {name: next(expanded) for name in state.labels}
        told = {name: next(expanded) for name in annotations}
        full = Labels({**labels, **added, METRIC_NAME: "", "alertname": state.rule.alert})
        if full in findings:
            raise QueryError(f"two series give the same alert {full}")
        findings[full] = Finding(value, Labels(told), where)
    return findings


def _alerting(
    state: RuleState, findings: Mapping[Labels, Finding], now: float, limit: int
) -> Outcome:
    if state.unanswered_since:
        # What was true before and is true now need not have been true all the time.
        state.alerts.postpone(now - state.unanswered_since)
        state.unanswered_since = 0.0
    changed = state.alerts.evaluate(findings, now)
    active = state.alerts.active()
    if 0 < limit < len(active):
        state.alerts.clear()
        raise LimitExceeded(f"{len(active)} alerts are more than the group's limit of {limit}")
    return Outcome(_alert_series(state, active), changed)


def _alert_series(state: RuleState, active: Sequence[Alert]) -> dict[Labels, float]:
    known, state.names = state.names, {}
    series: dict[Labels, float] = {}
    for alert in active:
        names = known.get(alert.labels)
        if names is None or names[0] is not alert.state:
            stated = alert.labels.with_(__name__=ALERTS, alertstate=alert.state.value)
            names = (alert.state, stated, alert.labels.with_(__name__=FOR_STATE))
        state.names[alert.labels] = names
        series[names[1]] = 1.0
        series[names[2]] = alert.active_at
    return series


def _recording(state: RuleState, rows: Sequence[tuple[Labels, float]], limit: int) -> Outcome:
    series: dict[Labels, float] = {}
    for labels, value in rows:
        recorded = Labels({**labels, **state.labels, METRIC_NAME: state.rule.record})
        if recorded in series:
            raise QueryError(f"two series are recorded as the same {recorded}")
        series[recorded] = value
    if 0 < limit < len(series):
        raise LimitExceeded(f"{len(series)} series are more than the group's limit of {limit}")
    return Outcome(series)


def vector(answer: QueryResult) -> list[tuple[Labels, float]]:
    """The series and values of an instant answer; a scalar is one without labels.

    Raises:
        QueryError: the answer is of another type.
    """
    match answer.value:
        case Matrix() as found:
            present, values = found.present[:, 0].tolist(), found.values[:, 0].tolist()
            rows = zip(found.labels, present, values, strict=True)
            return [(labels, value) for labels, there, value in rows if there]
        case Scalar() as found:
            return [(Labels(), float(found.values[0]))]
    raise QueryError("a rule's expression must give an instant vector or a scalar")
