"""Runs unit tests: the true state machine of rules, over series in memory, at times passed in."""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from pynomaly.model.alert import AlertState
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.notation import NotationError, parse_labels, parse_points, parse_series
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.evaluate import explore_link, vector
from pynomaly.rules.group import GroupRunner
from pynomaly.rules.template import Outside
from pynomaly.rules.unit_tests.document import AlertTest, ExprTest, TestFile, TestGroup
from pynomaly.storage.samples.memory import MemorySamples

_NATIVE = "{{"


@dataclass
class TestResult:
    """What came of the tests of a group: ``failures`` is empty when all hold."""

    __test__ = False

    name: str
    assertions: int = 0
    failures: list[str] = field(default_factory=list)


async def run_group(
    number: int, group: TestGroup, file: TestFile, rules: Sequence[RuleGroup], executor: Executor
) -> TestResult:
    """Run the tests of one group. Rules are evaluated every ``evaluation_interval``."""
    world = _World(group, file, rules, executor)
    result = TestResult(group.name or f"unnamed#{number}")
    result.assertions = len(group.alert_rule_test) + len(group.promql_expr_test)
    try:
        world.read_series()
        await _run_alert_tests(world, result)
        for test in group.promql_expr_test:
            result.failures += await world.check_expression(test)
    except (NotationError, _RuleFailed) as error:
        result.failures.append(str(error))
    return result


async def _run_alert_tests(world: "_World", result: TestResult) -> None:
    """Evaluate from the start to the last test; alerts are compared as they come by."""
    waiting = sorted(world.group.alert_rule_test, key=lambda test: test.eval_time)
    interval = world.file.evaluation_interval
    for step in range(math.floor(world.group.last_time / interval) + 1):
        elapsed = step * interval
        await world.evaluate(elapsed)
        while waiting and waiting[0].eval_time < elapsed + interval:
            result.failures += world.check_alerts(waiting.pop(0))


class _RuleFailed(Exception):
    pass


class _World:
    """The series of a test group, and the rules over them."""

    def __init__(
        self,
        group: TestGroup,
        file: TestFile,
        rules: Sequence[RuleGroup],
        executor: Executor,
    ) -> None:
        self.group = group
        self.file = file
        self._store = MemorySamples()
        settings = QuerySettings(
            default_subquery_step=file.evaluation_interval, experimental_functions=True
        )
        self._querier = LocalQuerier(self._store, executor, settings)
        outside = Outside(group.external_labels, group.external_url)
        interval = group.interval or file.evaluation_interval
        self._runners = [
            GroupRunner(
                each,
                each.interval or interval,
                self._querier,
                self._store,
                explore_link(group.external_url),
                outside,
                restores_before=-math.inf,
            )
            for each in _in_order(rules, file.group_eval_order)
        ]
        self._columns: list[tuple[Labels, list[float | None]]] = []
        self._native: set[str] = set()
        self._loaded = 0
        self._interval_ms = round(interval * 1000)
        self._start_ms = round(group.start_timestamp * 1000)

    def read_series(self) -> None:
        """Parse the input; its samples are stored as time comes to them."""
        for each in self.group.input_series:
            labels, rest = parse_series(each.series.strip())
            if rest:
                raise NotationError(f"{each.series!r} is not a series")
            if _NATIVE in each.values:
                self._native.add(labels.name)
                continue
            self._columns.append((labels, list(parse_points(each.values))))

    async def evaluate(self, elapsed: float) -> None:
        """Store what has been sampled until now, and evaluate every group.

        Raises:
            _RuleFailed: a rule cannot be evaluated.
        """
        await self._load_until(round(elapsed * 1000))
        for runner in self._runners:
            await runner.evaluate(self.group.start_timestamp + elapsed)
            for state in runner.rules:
                if state.last_error:
                    raise _RuleFailed(f"rule: {state.rule.name}, err: {state.last_error}")

    async def _load_until(self, elapsed_ms: int) -> None:
        last = elapsed_ms // self._interval_ms + 1
        rows = [
            (labels, self._start_ms + step * self._interval_ms, value)
            for labels, points in self._columns
            for step, value in enumerate(points[self._loaded : last], self._loaded)
            if value is not None
        ]
        self._loaded = max(self._loaded, last)
        if rows:
            await self._store.append(SampleBatch.of(rows))

    def check_alerts(self, test: AlertTest) -> list[str]:
        """What is wrong with the alerts of a name as they are now."""
        found = [
            (alert.labels, alert.annotations)
            for runner in self._runners
            for state in runner.rules
            if state.rule.alert == test.alertname
            for alert in state.alerts.active()
            if alert.state is AlertState.FIRING
        ]
        wanted = [
            (Labels({**each.exp_labels, "alertname": test.alertname}), Labels(each.exp_annotations))
            for each in test.exp_alerts
        ]
        if sorted(found) == sorted(wanted):
            return []
        at = f"{test.eval_time:g}s"
        return [
            f"alertname: {test.alertname}, time: {at},\n"
            f"    exp: {_alerts_text(wanted)}\n    got: {_alerts_text(found)}"
        ]

    async def check_expression(self, test: ExprTest) -> list[str]:
        """What is wrong with the answer to an expression."""
        await self._load_until(round(max(self.group.last_time, test.eval_time) * 1000))
        where = f"expr: {test.expr!r}, time: {test.eval_time:g}s"
        if any(sample.histogram for sample in test.exp_samples):
            return [f"{where}: native histograms are not supported"]
        at = self._start_ms + round(test.eval_time * 1000)
        try:
            found = vector(await self._querier.instant(test.expr, at))
        except PynomalyError as error:
            return [f"{where}, err: {error}"]
        wanted = [(parse_labels(s.labels.strip()), s.value) for s in test.exp_samples]
        if self._same(sorted(wanted), sorted(found)):
            return []
        return [f"{where},\n    exp: {_samples_text(wanted)}\n    got: {_samples_text(found)}"]

    def _same(self, wanted: list[tuple[Labels, float]], found: list[tuple[Labels, float]]) -> bool:
        if [labels for labels, _ in wanted] != [labels for labels, _ in found]:
            return False
        pairs = zip((v for _, v in wanted), (v for _, v in found), strict=True)
        return all(self._equal(want, got) for want, got in pairs)

    def _equal(self, want: float, got: float) -> bool:
        if want == got:
            return True
        neighbours = (np.nextafter(got, -math.inf), np.nextafter(got, math.inf))
        return self.file.fuzzy_compare and want in neighbours


def _in_order(groups: Iterable[RuleGroup], order: Sequence[str]) -> list[RuleGroup]:
    """Groups that the order names come in it; the others first, as in promtool."""
    return sorted(groups, key=lambda g: order.index(g.name) if g.name in order else 0)


def _alerts_text(alerts: Sequence[tuple[Labels, Labels]]) -> str:
    if not alerts:
        return "nothing"
    return "; ".join(f"{labels} with {annotations}" for labels, annotations in sorted(alerts))


def _samples_text(samples: Sequence[tuple[Labels, float]]) -> str:
    if not samples:
        return "nothing"
    return ", ".join(f"{labels} {value!r}" for labels, value in sorted(samples))
