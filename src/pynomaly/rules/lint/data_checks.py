"""Mistakes that stored series show, and proofs of those that expressions show."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pynomaly.model.duration import format_duration
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.contract import Matrix, Querier
from pynomaly.promql.nodes import (
    Binary,
    Call,
    MatrixSelector,
    Node,
    ValueType,
    VectorSelector,
    walk,
)
from pynomaly.promql.printer import to_text
from pynomaly.rules.lint.expression_checks import COMPARISONS, RATES
from pynomaly.rules.lint.finding import Finding, Severity
from pynomaly.rules.lint.subject import Subject, metric_of
from pynomaly.storage.samples.contract import SampleReader

_DAY_MS = 86_400_000
_STEP_MS = 300_000
_QUERY_SECONDS = 10.0
_NOISY_A_DAY = 6
_ALL_DAY = 0.99
_SUCCESS = ("success", "succeeded", "ok", "hits", "hit", "good", "completed")


@dataclass
class Stored:
    """The series of the last ``span_ms`` before ``at_ms``, asked for once each.

    ``reader`` is called in worker threads.
    """

    querier: Querier
    reader: SampleReader
    at_ms: int
    span_ms: int = _DAY_MS
    _asked: dict[tuple[str, bool], Matrix | None] = field(default_factory=dict)
    _names: list[str] | None = None

    async def types(self) -> Mapping[str, str]:
        """The type of each metric of which a source told it."""
        said = await asyncio.to_thread(self.reader.metadata)
        found = {name: each[0].type for name, each in said.items() if each and each[0].type}
        for name, kind in list(found.items()):
            if kind in ("histogram", "summary"):
                found |= {f"{name}{end}": "counter" for end in ("_bucket", "_count", "_sum")}
        return {name: kind for name, kind in found.items() if kind not in ("unknown", "untyped")}

    async def names(self) -> Sequence[str]:
        """The names of all metrics."""
        if self._names is None:
            self._names = await asyncio.to_thread(
                self.reader.label_values, METRIC_NAME, (), self.at_ms - self.span_ms, self.at_ms
            )
        return self._names

    async def label_values(self, label: str, metric: str) -> list[str]:
        """The values of a label of a metric."""
        selection = [Matcher(METRIC_NAME, MatchOp.EQUAL, metric)]
        begin = self.at_ms - self.span_ms
        return await asyncio.to_thread(
            self.reader.label_values, label, (selection,), begin, self.at_ms
        )

    async def has(self, matchers: Sequence[Matcher]) -> bool:
        """Whether there is any such series."""
        begin = self.at_ms - self.span_ms
        return bool(await asyncio.to_thread(self.reader.series, (matchers,), begin, self.at_ms))

    async def now(self, expr: str) -> Matrix | None:
        """What an expression gives at the end; None when it cannot be answered in time."""
        return await self._ask(expr, ranged=False)

    async def over_time(self, expr: str) -> Matrix | None:
        """What it gives every five minutes."""
        return await self._ask(expr, ranged=True)

    async def _ask(self, expr: str, *, ranged: bool) -> Matrix | None:
        key = (expr, ranged)
        if key not in self._asked:
            begin = self.at_ms - self.span_ms
            try:
                if ranged:
                    answer = await self.querier.range(
                        expr, begin, self.at_ms, _STEP_MS, timeout=_QUERY_SECONDS
                    )
                else:
                    answer = await self.querier.instant(expr, self.at_ms, timeout=_QUERY_SECONDS)
            except PynomalyError:
                self._asked[key] = None  # no proof is no finding; the rule's own error says why
            else:
                self._asked[key] = answer.value if isinstance(answer.value, Matrix) else None
        return self._asked[key]

    async def interval_ms(self, selector: VectorSelector) -> float | None:
        """The usual time between two samples of the first series of a selector."""
        text = f"{to_text(replace(selector, offset_ms=0, at=None))}[1h]"
        try:
            value = (await self.querier.instant(text, self.at_ms, timeout=_QUERY_SECONDS)).value
        except PynomalyError:
            return None
        if not isinstance(value, SeriesSamples) or not len(value):
            return None
        times = value.ts[value.offsets[0] : value.offsets[1]]
        return float(np.median(np.diff(times))) if len(times) > 1 else None

    async def prove(self, finding: Finding) -> Finding:
        """The finding with a counter-example, where there is one."""
        if finding.check != "ratio-of-itself":
            return finding
        found = await self.now(finding.fragment)
        if found is None or not len(found):
            return finding
        right = await self.now(finding.suggestion)
        proof = f"{found.labels[0]} gives {found.values[0, 0]:g}"
        if right is not None and len(right):
            proof += f"; the corrected one gives {right.values[0, 0]:g}"
        return replace(finding, proof=proof)


DataCheck = Callable[[Subject, Stored], AsyncIterator[Finding]]


async def absent_series(subject: Subject, stored: Stored) -> AsyncIterator[Finding]:
    """A selector that no series matches, with the nearest name or value that is there."""
    for node, parent in subject.nodes():
        if not isinstance(node, VectorSelector) or not metric_of(node) or _expects_absence(parent):
            continue
        if await stored.has(node.matchers):
            continue
        metric = metric_of(node)
        if metric not in await stored.names():
            near = difflib.get_close_matches(metric, await stored.names(), n=1, cutoff=0.75)
            yield subject.finding(
                "absent-series",
                Severity.NOTE,
                f"No series of {metric} was there in the last day.",
                fragment=to_text(node),
                suggestion=near[0] if near else "",
            )
            continue
        async for finding in _absent_label(subject, stored, node, metric):
            yield finding


def _expects_absence(parent: Node | None) -> bool:
    return isinstance(parent, Call) and parent.function.startswith("absent")


async def _absent_label(
    subject: Subject, stored: Stored, node: VectorSelector, metric: str
) -> AsyncIterator[Finding]:
    for matcher in node.matchers:
        if matcher.name == METRIC_NAME or matcher.op is not MatchOp.EQUAL or not matcher.value:
            continue
        values = await stored.label_values(matcher.name, metric)
        if matcher.value in values:
            continue
        near = difflib.get_close_matches(matcher.value, values, n=1, cutoff=0.5)
        there = f"; there are {', '.join(values[:5])}" if values else "; it has no such label"
        yield subject.finding(
            "absent-series",
            Severity.WARNING,
            f"No series of {metric} has {matcher.name}={matcher.value!r}{there}.",
            fragment=to_text(node),
            suggestion=f'{matcher.name}="{near[0]}"' if near else "",
        )


async def always_true(subject: Subject, stored: Stored) -> AsyncIterator[Finding]:
    """An alert whose comparison held for a series at every step of the day."""
    node = subject.node
    if not subject.rule.alert or not _is_threshold(node):
        return
    found = await stored.over_time(subject.rule.expr)
    if found is None or not len(found):
        return
    steps = len(found.timestamps)
    constant = np.flatnonzero(found.present.sum(axis=1) >= _ALL_DAY * steps)
    if len(constant):
        yield subject.finding(
            "always-true",
            Severity.WARNING,
            f"It was true all day for {len(constant)} of the series: nobody acts on such an alert.",
            fragment=subject.rule.expr,
            proof=f"{found.labels[constant[0]]} from {found.values[constant[0]].min():g} to "
            f"{found.values[constant[0]].max():g}",
        )


def _is_threshold(node: Node) -> bool:
    return isinstance(node, Binary) and node.op in COMPARISONS and not node.returns_bool


async def success_above_total(subject: Subject, stored: Stored) -> AsyncIterator[Finding]:
    """A ratio of successes to all that is above 1."""
    for node, _ in subject.nodes():
        if not isinstance(node, Binary) or node.op != "/" or node.type != ValueType.VECTOR:
            continue
        names = [metric_of(each) for each in _selectors(node.lhs)]
        if not any(word in name.split("_") for name in names for word in _SUCCESS):
            continue
        found = await stored.now(to_text(node))
        if found is None or not len(found):
            continue
        above = np.flatnonzero(found.present[:, 0] & (found.values[:, 0] > 1.001))
        if len(above):
            value = found.values[above[0], 0]
            yield subject.finding(
                "success-above-total",
                Severity.WARNING,
                "There are more successes than there is in all: the two count different things.",
                fragment=to_text(node),
                proof=f"{found.labels[above[0]]} gives {value:g}",
            )


def _selectors(node: Node) -> list[VectorSelector]:
    return [each for each in walk(node) if isinstance(each, VectorSelector)]


async def noisy_without_for(subject: Subject, stored: Stored) -> AsyncIterator[Finding]:
    """An alert without ``for`` that comes and goes all day."""
    if not subject.rule.alert or subject.rule.hold or subject.rule.keep_firing_for:
        return
    found = await stored.over_time(subject.rule.expr)
    if found is None or not len(found):
        return
    begins = (found.present[:, 1:] & ~found.present[:, :-1]).sum(axis=1)
    worst = int(np.argmax(begins))
    if begins[worst] > _NOISY_A_DAY * stored.span_ms / _DAY_MS:
        yield subject.finding(
            "noisy-without-for",
            Severity.WARNING,
            f"It began {begins[worst]} times in the last day; with for: it waits until it stays.",
            fragment=subject.rule.expr,
            suggestion="for: 5m",
            proof=str(found.labels[worst]),
        )


async def division_of_nothing(subject: Subject, stored: Stored) -> AsyncIterator[Finding]:
    """An operator whose two sides have series, and whose result has none."""
    for node, _ in subject.nodes():
        if not isinstance(node, Binary) or node.op not in ("/", "*", "+", "-"):
            continue
        if node.lhs.type != ValueType.VECTOR or node.rhs.type != ValueType.VECTOR:
            continue
        sides = [await stored.now(to_text(side)) for side in (node.lhs, node.rhs)]
        if any(side is None or not len(side) for side in sides):
            continue
        result = await stored.now(to_text(node))
        if result is not None and not len(result):
            left, right = (_shown(side) for side in sides)
            yield subject.finding(
                "result-is-empty",
                Severity.ERROR,
                "Both sides have series and none of them match, so there is no result.",
                fragment=to_text(node),
                proof=f"left {left}; right {right}",
            )


def _shown(side: Matrix | None) -> Labels:
    assert side is not None, "asked only for what is there"
    return side.labels[0].without(METRIC_NAME)


async def window_too_short(subject: Subject, stored: Stored) -> AsyncIterator[Finding]:
    """``rate(x[1m])`` of what is sampled every minute has one sample, and gives nothing."""
    for node, _ in subject.nodes():
        if not isinstance(node, Call) or node.function not in RATES:
            continue
        over = node.args[0]
        if not isinstance(over, MatrixSelector):
            continue
        interval = await stored.interval_ms(over.vector)
        if interval is None or over.range_ms >= 2 * interval:
            continue
        yield subject.finding(
            "window-too-short",
            Severity.ERROR,
            f"A sample comes every {format_duration(interval / 1000)}: this window often holds "
            "less than two, and then there is no rate.",
            fragment=to_text(node),
            suggestion=to_text(
                replace(node, args=(replace(over, range_ms=round(4 * interval)), *node.args[1:]))
            ),
        )


DATA_CHECKS: Mapping[str, DataCheck] = {
    "absent-series": absent_series,
    "always-true": always_true,
    "success-above-total": success_above_total,
    "noisy-without-for": noisy_without_for,
    "result-is-empty": division_of_nothing,
    "window-too-short": window_too_short,
}
"""By the id under which a comment disables it."""
