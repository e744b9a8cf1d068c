"""A rule step by step through ``rules.evaluate`` itself, where columns do not say enough.

That is where the labels of an alert depend on its value, where a limit clears alerts, and where
another rule reads ``ALERTS``.
"""

from collections.abc import Mapping

import numpy as np

from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import BoolArray
from pynomaly.promql.contract import Matrix, Querier, QueryError, QueryResult
from pynomaly.rules.backtest.episodes import Episode, max_of, min_of
from pynomaly.rules.backtest.overlay import Column, Ledger
from pynomaly.rules.backtest.plan import Member, Times
from pynomaly.rules.evaluate import LimitExceeded, RuleState, evaluate, vector
from pynomaly.rules.template import Outside, Text, expand_all


class Stepper:
    """Drives one alerting rule. ``ledger`` is given where another rule reads its series."""

    def __init__(
        self, member: Member, querier: Querier, outside: Outside, ledger: Ledger | None
    ) -> None:
        # Annotations change nothing about when an alert fires, and cost most of the time.
        rule = member.rule.model_copy(update={"annotations": {}})
        self._state = RuleState.of(rule, member.group)
        self._member = member
        self._querier = querier
        self._outside = outside
        self._ledger = ledger
        self._open: dict[Labels, Episode] = {}
        self.closed: list[Episode] = []
        self.failures = 0
        self.last_failure: tuple[float, str] = (0.0, "")

    async def add(self, times: Times, matrix: Matrix, found: BoolArray) -> None:
        """The next evaluations: ``found`` says which cells of the matrix the rule gives."""
        busy: list[bool] = np.count_nonzero(found, axis=0).astype(np.bool_).tolist()
        for step, now in enumerate(times.tolist()):
            if busy[step] or self._state.alerts.alerts or self._state.series:
                await self._step(now, int(matrix.timestamps[step]), _column(matrix, found, step))

    async def _step(self, now: float, at_ms: int, answer: QueryResult) -> None:
        state, group = self._state, self._member.group
        querier = Column(state.rule.expr, answer, self._querier)
        try:
            outcome = await evaluate(
                state, querier, now, group.query_offset, group.limit, _no_link, self._outside
            )
        except LimitExceeded as error:
            self._cleared(now)
            self._failed(now, error)
            return
        except QueryError as error:
            self._failed(now, error)
            return
        for alert in outcome.changed:
            self._changed(alert, now)
            if alert.active_at == now and alert.labels in self._open:
                self._open[alert.labels].series = await self._series_of(alert, answer, now)
        for alert in state.alerts.active():
            if not alert.keep_firing_since:
                episode = self._open[alert.labels]
                episode.low = min_of(episode.low, alert.value)
                episode.high = max_of(episode.high, alert.value)
        if self._ledger is not None:
            self._ledger.write(_written(outcome.series, at_ms))
        state.series = set(outcome.series)

    async def _series_of(self, alert: Alert, answer: QueryResult, now: float) -> Labels | None:
        """The series of the answer that gives an alert: templates see its labels."""
        added = self._state.labels
        rows = [row for row in vector(answer) if row[1] == alert.value or row[1] != row[1]]
        for labels, value in rows:
            texts = [Text(template, labels, value) for template in added.values()]
            told = await expand_all(alert.name, texts, self._querier, now, self._outside)
            full = {**labels, **dict(zip(added, told, strict=True)), "alertname": alert.name}
            if Labels({**full, METRIC_NAME: ""}) == alert.labels:
                return labels
        return None

    def _failed(self, now: float, error: Exception) -> None:
        self.failures += 1
        self.last_failure = (now, str(error))

    def _changed(self, alert: Alert, now: float) -> None:
        labels = alert.labels
        if alert.state is AlertState.INACTIVE:
            episode = self._open.pop(labels)
            episode.ended_at = now
            self.closed.append(episode)
            return
        episode = self._open.get(labels) or Episode(
            labels, alert.active_at, 0.0, 0.0, alert.value, alert.value, alert.value
        )
        episode.fired_at = alert.fired_at
        self._open[labels] = episode

    def _cleared(self, now: float) -> None:
        for episode in self._open.values():
            episode.ended_at, episode.cleared = now, True
            self.closed.append(episode)
        self._open.clear()

    def episodes(self) -> list[Episode]:
        """Every alert that was pending or firing, those still active at the end included."""
        return sorted(
            [*self.closed, *self._open.values()], key=lambda e: (e.labels.pairs, e.pending_at)
        )


def _no_link(expr: str) -> str:
    return ""


def _column(matrix: Matrix, found: BoolArray, step: int) -> QueryResult:
    rows = np.flatnonzero(found[:, step])
    values = matrix.values[rows, step].reshape(-1, 1)
    labels = [matrix.labels[row] for row in rows]
    times = matrix.timestamps[step : step + 1]
    return QueryResult(Matrix(labels, times, values, np.ones(values.shape, dtype=np.bool_)))


def _written(series: Mapping[Labels, float], at_ms: int) -> Matrix:
    values = np.array(list(series.values()), dtype=np.float64).reshape(len(series), 1)
    times = np.array([at_ms], dtype=np.int64)
    return Matrix(list(series), times, values, np.ones(values.shape, dtype=np.bool_))
