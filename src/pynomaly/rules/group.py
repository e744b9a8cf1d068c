"""A group of rules: evaluated in order, at one time, and written down."""

import logging
import math
import time
from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Histogram

from pynomaly.model.alert import Alert
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import MatchOp
from pynomaly.model.samples import STALE, SampleBatch
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Querier, QueryTimeout, SharingQuerier
from pynomaly.promql.parser import parse, selectors
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.evaluate import ALERTS, FOR_STATE, Link, Outcome, RuleState, evaluate
from pynomaly.rules.restore import read_seeds
from pynomaly.rules.template import NOWHERE, Outside
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.samples.contract import Appender

log = logging.getLogger(__name__)

_EVALUATIONS = Counter(
    "pynomaly_rule_evaluations",
    "Evaluations of rules, failed ones included.",
    ["rule_group"],
    registry=REGISTRY,
)
_FAILURES = Counter(
    "pynomaly_rule_evaluation_failures",
    "Evaluations of rules that failed; /api/v1/rules shows the last error of each.",
    ["rule_group"],
    registry=REGISTRY,
)
_UNANSWERED = Counter(
    "pynomaly_rule_evaluations_unanswered",
    "Evaluations that were not made, or not written down, since the server of the series was away; "
    "not counted as failures.",
    ["rule_group"],
    registry=REGISTRY,
)
_DURATION = Histogram(
    "pynomaly_rule_group_duration_seconds",
    "How long the evaluation of a group took.",
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60),
    registry=REGISTRY,
)

_RESTORE_ATTEMPTS = 3
_LEAST_GRACE = 60.0  # seconds for which a restored alert that is not found yet goes on firing


class GroupRunner:
    """Evaluates one group. One evaluation at a time.

    Of what was pending and firing before a restart it takes up what was last written before
    ``restores_before`` (epoch seconds; ``-inf``: nothing): what is younger is another group's.
    """

    def __init__(
        self,
        group: RuleGroup,
        interval: float,
        querier: Querier,
        appender: Appender,
        link: Link,
        outside: Outside = NOWHERE,
        *,
        restores_before: float = math.inf,
    ) -> None:
        self.group = group
        self.interval = interval
        self.rules = [RuleState.of(rule, group) for rule in group.rules]
        self.last_evaluation = 0.0
        self.evaluation_seconds = 0.0
        self._querier = querier
        self._appender = appender
        self._link = link
        self._outside = outside
        self._orphans: set[Labels] = set()
        self._unwritten: list[tuple[RuleState, Outcome]] = []
        self._restores_left = _RESTORE_ATTEMPTS if restores_before > -math.inf else 0
        self._restores_before = restores_before
        self._reads = [_metrics_read(rule.expr) for rule in group.rules]

    def take_over(self, old: "GroupRunner") -> None:
        """Go on where the runner of an earlier version of the group stopped."""
        left = list(old.rules)
        for state in self.rules:
            match = next((o for o in left if o.identity == state.identity), None)
            if match is not None:
                left.remove(match)
                state.adopt(match)
        self._orphans = old._orphans.union(*(state.series for state in left))
        self._restores_left = old._restores_left

    def series(self) -> set[Labels]:
        """Every series that is kept up; to be marked stale when the group goes."""
        return self._orphans.union(*(state.series for state in self.rules))

    async def evaluate(self, now: float) -> list[Alert]:
        """Evaluate every rule for ``now`` (epoch seconds); returns the alerts that changed.

        A rule that fails keeps its alerts as they were and says so in ``last_error``.
        """
        began = time.perf_counter()
        at_ms = round((now - self.group.query_offset) * 1000)
        changed: list[Alert] = []
        try:
            await self._restore(now)
        except PeerAway as error:
            # Evaluated now, the alerts of before the restart would be forgotten for good.
            self._all_unanswered(now, error)
            return changed
        querier = self._for_this_moment()
        for state, reads in zip(self.rules, self._reads, strict=True):
            if self._depends_on_unwritten(reads):
                await self._write(at_ms)
                querier = self._for_this_moment()
            changed += await self._one(state, querier, now)
        await self._write(at_ms)
        self.evaluation_seconds = time.perf_counter() - began
        self.last_evaluation = now
        _DURATION.observe(self.evaluation_seconds)
        return changed

    def _for_this_moment(self) -> Querier:
        """What answers until the group writes something that its rules read."""
        if isinstance(self._querier, SharingQuerier):
            return self._querier.sharing([state.rule.expr for state in self.rules])
        return self._querier

    async def _one(self, state: RuleState, querier: Querier, now: float) -> list[Alert]:
        _EVALUATIONS.labels(self.group.name).inc()
        offset, limit = self.group.query_offset, self.group.limit
        try:
            outcome = await evaluate(state, querier, now, offset, limit, self._link, self._outside)
        except (PeerAway, QueryTimeout) as error:
            state.unanswered_since = state.unanswered_since or now
            self._failed(state, error)
            return []
        except PynomalyError as error:
            self._failed(state, error)
            return []
        except Exception as error:
            log.exception("the rule %s failed", state.rule.name)
            self._failed(state, error)
            return []
        state.health, state.last_error, state.settled = "ok", "", True
        self._unwritten.append((state, outcome))
        return outcome.changed

    def _all_unanswered(self, now: float, error: PeerAway) -> None:
        for state in self.rules:
            _EVALUATIONS.labels(self.group.name).inc()
            state.last_evaluation = now
            state.unanswered_since = state.unanswered_since or now
            self._failed(state, error)
        self.last_evaluation = now

    def _failed(self, state: RuleState, error: Exception) -> None:
        if isinstance(error, PeerAway):  # one alert says it for all rules
            _UNANSWERED.labels(self.group.name).inc()
        else:
            _FAILURES.labels(self.group.name).inc()
            if str(error) != state.last_error:
                log.warning("rule %s of group %s: %s", state.rule.name, self.group.key, error)
        state.health, state.last_error = "err", str(error)

    def _depends_on_unwritten(self, reads: frozenset[str] | None) -> bool:
        # Waiting for the store after each rule would cost a commit per rule; most groups need
        # one, since no rule reads what another one of its group has just written.
        written = {_metric_written(state) for state, _ in self._unwritten}
        return bool(written) and (reads is None or not written.isdisjoint(reads))

    async def _write(self, at_ms: int) -> None:
        unwritten, self._unwritten = self._unwritten, []
        rows = [(labels, at_ms, value) for _, o in unwritten for labels, value in o.series.items()]
        gone = {labels for state, o in unwritten for labels in state.series - o.series.keys()}
        gone |= self._orphans
        gone -= {labels for _, o in unwritten for labels in o.series}
        rows += [(labels, at_ms, float(STALE)) for labels in gone]
        if not rows:
            return
        try:
            await self._appender.append(SampleBatch.of(rows))
        except PynomalyError as error:
            for state, _ in unwritten:
                self._failed(state, error)
            return
        self._orphans = set()
        for state, outcome in unwritten:
            state.series = set(outcome.series)

    async def _restore(self, now: float) -> None:
        fresh = [s for s in self.rules if s.rule.alert and not s.settled]
        if not fresh or not self._restores_left:
            return
        names = {state.rule.alert for state in fresh}
        try:
            seeds = await read_seeds(self._querier, names, now, self.interval)
        except PeerAway:
            raise
        except PynomalyError as error:
            self._restores_left -= 1
            log.warning("alerts of before the restart cannot be read: %s", error)
            return
        self._restores_left = 0
        seeds = {a: seed for a, seed in seeds.items() if seed.last_seen < self._restores_before}
        grace = max(_LEAST_GRACE, 2 * self.interval)
        for state in fresh:
            state.restore(seeds, now, grace, self._link)
            state.series = {s for alert in state.alerts.active() for s in _series_of(alert)}


def _series_of(alert: Alert) -> Sequence[Labels]:
    """The series that were written for an alert: stale if it is not written again."""
    labels = alert.labels
    return (
        labels.with_(__name__=FOR_STATE),
        labels.with_(__name__=ALERTS, alertstate=alert.state.value),
    )


def _metric_written(state: RuleState) -> str:
    return state.rule.record or ALERTS


def _metrics_read(expr: str) -> frozenset[str] | None:
    """The metrics that an expression selects; None when a selector may select any."""
    names: set[str] = set()
    for matchers in selectors(parse(expr)):
        exact = [m for m in matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL]
        if not exact:
            return None
        names.add(ALERTS if exact[0].value == FOR_STATE else exact[0].value)
    return frozenset(names)


def stale_batch(series: Iterable[Labels], at_ms: int) -> SampleBatch:
    """Staleness markers for all of these series."""
    return SampleBatch.of([(labels, at_ms, float(STALE)) for labels in series])
