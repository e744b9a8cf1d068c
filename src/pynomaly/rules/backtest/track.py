"""What is collected of one rule while history passes by."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import BoolArray
from pynomaly.promql.contract import Matrix
from pynomaly.promql.matrices import with_labels
from pynomaly.promql.nodes import Node
from pynomaly.rules.backtest.curves import Envelope
from pynomaly.rules.backtest.episodes import Episode, episodes, most_active
from pynomaly.rules.backtest.overlay import Ledger, Source
from pynomaly.rules.backtest.pieces import Asker, Piece
from pynomaly.rules.backtest.plan import Member, Times
from pynomaly.rules.backtest.runs import RunCollector, Runs, together
from pynomaly.rules.backtest.stepwise import Stepper
from pynomaly.rules.backtest.threshold import Comparison, comparison_of
from pynomaly.rules.state import Timing
from pynomaly.rules.template import NOWHERE, Outside, expand

# What in a template may give another text for another value of the same series.
_BY_VALUE = re.compile(r"[vV]alue|query|\bnow\b|\$(?![\w.])|(?<![\w)\]])\.(?!Labels|External)")

_SMALL = 20_000
"""Cells of a matrix that are done with sooner than a thread is asked."""


@dataclass(slots=True)
class Failures:
    """Evaluations of a rule that failed, as they would have live."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0
    message: str = ""

    def add(self, at: float, message: str, count: int = 1) -> None:
        """Note failures, the last of them ``at`` epoch seconds."""
        self.count += count
        self.first = self.first or at
        self.last, self.message = at, message


def labels_by_value(member: Member) -> bool:
    """Whether the labels that a rule adds may depend on more than the labels of a series."""
    added = member.group.labels_of(member.rule).values()
    return any("{{" in text and _BY_VALUE.search(text) for text in added)


class Recording:
    """A recording rule that others read."""

    def __init__(self, member: Member, source: Source) -> None:
        self.member = member
        self.asker = Asker(source, member.node, member.rule.name)
        self.failures = Failures()
        self._ledger = Ledger(source.recorded)
        self._labels: dict[Labels, Labels] = {}

    async def fold(self, first: int, times: Times, pieces: Sequence[Piece]) -> None:
        """Record the next evaluations."""
        for at, piece in _with_times(times, pieces):
            if piece.matrix is None:
                self.failures.add(float(at[0]), piece.error)
            else:
                await _aside(piece.matrix, self._record, at, piece.matrix)

    def _record(self, times: Times, matrix: Matrix) -> None:
        labels = [self._recorded_as(each) for each in matrix.labels]
        failed = np.zeros(len(times), dtype=np.bool_)
        row_of: dict[Labels, int] = {}
        rows = [row_of.setdefault(each, len(row_of)) for each in labels]
        if len(row_of) < len(labels):
            _, values, present, failed = together(np.array(rows), matrix.values, matrix.present)
            matrix = Matrix(list(row_of), matrix.timestamps, values, present)
        else:
            matrix = with_labels(matrix, labels)
        if limit := self.member.group.limit:
            failed = failed | (np.count_nonzero(matrix.present, axis=0) > limit)
        if failed.any():
            self.failures.add(
                float(times[failed][-1]),
                "too many series, or two of the same labels",
                int(failed.sum()),
            )
            matrix = _columns(matrix, ~failed)
        self._ledger.write(matrix)

    def _recorded_as(self, labels: Labels) -> Labels:
        found = self._labels.get(labels)
        if found is None:
            rule = self.member.rule
            added = self.member.group.labels_of(rule)
            found = Labels({**labels, **added, METRIC_NAME: rule.record})
            self._labels[labels] = found
        return found


async def _aside(matrix: Matrix, work: Callable[..., None], *args: Any) -> None:
    """Do work on a matrix, off the event loop unless it is small."""
    if matrix.values.size > _SMALL:
        await asyncio.to_thread(work, *args)
    else:
        work(*args)


def _columns(matrix: Matrix, kept: BoolArray) -> Matrix:
    return Matrix(
        matrix.labels, matrix.timestamps[kept], matrix.values[:, kept], matrix.present[:, kept]
    )


def _with_times(times: Times, pieces: Sequence[Piece]) -> Iterator[tuple[Times, Piece]]:
    for piece in pieces:
        yield times[piece.first : piece.first + piece.count], piece


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule as it stands (both None), or with another threshold or ``for`` (seconds)."""

    threshold: float | None = None
    hold: float | None = None


@dataclass(slots=True, eq=False)
class Alerting:
    """An alerting rule in some variants that all come from one expression.

    Where the root of the expression compares with a number, what is compared is asked for and
    the comparison is made here: each further threshold then costs next to nothing.
    """

    member: Member
    node: Node
    source: Source
    variants: Sequence[Variant] = (Variant(),)
    outside: Outside = NOWHERE
    ledger: Ledger | None = None
    by_steps: bool = False
    """Whether to go through the machine step by step."""
    envelope: Envelope | None = None
    failures: Failures = field(default_factory=Failures)
    seen: set[Labels] = field(default_factory=set)
    data: tuple[float, float] | None = None
    """When the expression (without its comparison) first and last gave anything."""
    comparison: Comparison | None = field(init=False)
    asker: Asker = field(init=False)
    _alerts: dict[Labels, Labels] = field(default_factory=dict)
    _collectors: dict[float | None, RunCollector] = field(default_factory=dict)
    _steppers: dict[Variant, Stepper] = field(default_factory=dict)
    _runs: dict[float | None, Runs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.comparison = comparison_of(self.node)
        asked = self.node if self.comparison is None else self.comparison.base
        self.asker = Asker(self.source, asked, self.member.rule.name)
        self.by_steps = self.by_steps or self.ledger is not None or labels_by_value(self.member)
        for variant in self.variants:
            if self.by_steps:
                self._steppers[variant] = self._stepper(variant)
            else:
                self._collectors.setdefault(variant.threshold, RunCollector())

    def _stepper(self, variant: Variant) -> Stepper:
        member = self.member
        if variant.hold is not None:
            rule = member.rule.model_copy(update={"hold": variant.hold})
            member = Member(member.group, rule, member.schedule)
        # Only the rule as it stands writes the series that others read.
        ledger = self.ledger if variant == Variant() else None
        return Stepper(member, self.source.querier, self.outside, ledger)

    async def fold(self, first: int, times: Times, pieces: Sequence[Piece]) -> None:
        """Take in the next evaluations, of which ``first`` is the first one's index."""
        for at, piece in _with_times(times, pieces):
            if piece.matrix is None:
                self.failures.add(float(at[0]), piece.error)
                continue
            matrix = piece.matrix
            await _aside(matrix, self._collect, first + piece.first, at, matrix)
            for variant, stepper in self._steppers.items():
                await stepper.add(at, matrix, self._found(matrix, variant.threshold))

    def _collect(self, first: int, times: Times, matrix: Matrix) -> None:
        self._note(first, times, matrix)
        for threshold, collector in self._collectors.items():
            collector.add(times, matrix, self._found(matrix, threshold), self._alerts)

    def _found(self, matrix: Matrix, threshold: float | None) -> BoolArray:
        if self.comparison is None:
            return matrix.present
        return matrix.present & self.comparison.holds(matrix.values, threshold)

    def _note(self, first: int, times: Times, matrix: Matrix) -> None:
        if self.envelope is not None:
            self.envelope.add(first, matrix)
        some = np.flatnonzero(matrix.present.any(axis=0))
        if len(some):
            begin = self.data[0] if self.data else float(times[some[0]])
            self.data = (begin, float(times[some[-1]]))
        if self.by_steps:
            self.seen.update(matrix.labels)
            return
        for labels in matrix.labels:
            if labels not in self._alerts:
                self.seen.add(labels)
                self._alerts[labels] = self.alert_of(labels)

    def alert_of(self, labels: Labels) -> Labels:
        """The labels of the alert that a series gives, where its value does not matter."""
        rule, group = self.member.rule, self.member.group
        added = {
            name: expand(rule.alert, text, labels, float("nan"), self.outside)
            for name, text in group.labels_of(rule).items()
        }
        return Labels({**labels, **added, METRIC_NAME: "", "alertname": rule.alert})

    def episodes(self, variant: Variant) -> list[Episode]:
        """Every alert of a variant that was pending or firing."""
        if self.by_steps:
            return self._steppers[variant].episodes()
        runs = self._runs.get(variant.threshold)
        if runs is None:
            runs = self._runs[variant.threshold] = self._collectors[variant.threshold].runs()
        hold = self.member.rule.hold if variant.hold is None else variant.hold
        return episodes(runs, Timing(hold, self.member.rule.keep_firing_for))

    def series_of_alerts(self) -> dict[Labels, Labels]:
        """A series that gives each alert."""
        return {alert: series for series, alert in self._alerts.items()}

    def exceeds_limit(self) -> bool:
        """Whether a limit would have cleared alerts, which columns do not show."""
        limit = self.member.group.limit
        return (
            bool(limit)
            and not self.by_steps
            and any(
                most_active(self.episodes(v), self._runs[v.threshold].times) > limit
                for v in self.variants
            )
        )

    def all_failures(self, variant: Variant) -> Failures:
        """The evaluations that failed: the expression's, collisions, and exceeded limits."""
        total = Failures(**{n: getattr(self.failures, n) for n in Failures.__slots__})
        if self.by_steps:
            stepper = self._steppers[variant]
            if stepper.failures:
                total.add(*stepper.last_failure, stepper.failures)
            return total
        collector = self._collectors[variant.threshold]
        if collector.collisions:
            total.add(
                collector.first_collision, "two series give the same alert", collector.collisions
            )
        return total
