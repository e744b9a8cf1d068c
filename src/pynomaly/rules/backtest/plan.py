"""Which rules take part in a backtest, when each is evaluated, and what reads what."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import Matcher
from pynomaly.promql.nodes import Call, Node, Subquery, VectorSelector, walk
from pynomaly.promql.parser import parse
from pynomaly.promql.state import Grid
from pynomaly.rules.backtest.errors import BadBacktest
from pynomaly.rules.config import Rule, RuleGroup
from pynomaly.rules.evaluate import ALERTS, FOR_STATE
from pynomaly.rules.manager import spread

_OF_THE_WHOLE = frozenset({"start", "end", "range", "step"})

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """When a group is evaluated: ``times`` float64, epoch seconds, as the scheduler gives them.

    ``at_ms`` (int64) is the time that each evaluation asks for, which ``query_offset`` moves.
    """

    times: Times
    at_ms: NDArray[np.int64]
    step_ms: int

    @classmethod
    def of(
        cls, group: RuleGroup, interval: float, phase: float, start: float, end: float
    ) -> "Schedule":
        """The evaluations of a group in a closed range of time."""
        offset = phase % interval
        first = math.ceil((start - offset) / interval)
        count = max(math.floor((end - offset) / interval) - first + 1, 0)
        times = np.arange(first, first + count).astype(np.float64) * interval + offset
        at_ms = np.rint((times - group.query_offset) * 1000).astype(np.int64)
        return cls(times, at_ms, max(round(interval * 1000), 1))

    @property
    def even(self) -> bool:
        """Whether the times that are asked for are a grid."""
        return bool((np.diff(self.at_ms) == self.step_ms).all())

    def between(self, begin: float, end: float) -> slice:
        """The evaluations with ``begin <= time < end``."""
        first, last = np.searchsorted(self.times, [begin, end], side="left")
        return slice(int(first), int(last))

    def grid(self, part: slice) -> Grid:
        """Some of the evaluations (at least one) as the steps of a query."""
        return Grid(int(self.at_ms[part.start]), self.step_ms, part.stop - part.start)


@dataclass(frozen=True, eq=False)
class Member:
    """One rule in its group."""

    group: RuleGroup
    rule: Rule
    schedule: Schedule

    @cached_property
    def node(self) -> Node:
        """Its expression."""
        return parse(self.rule.expr)

    @cached_property
    def written(self) -> Mapping[str, str]:
        """Labels that every series that it writes has, without the metric's name."""
        fixed = {n: v for n, v in self.group.labels_of(self.rule).items() if "{{" not in v}
        return {**fixed, "alertname": self.rule.alert} if self.rule.alert else fixed

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics that it writes."""
        return (ALERTS, FOR_STATE) if self.rule.alert else (self.rule.record,)

    def may_write(self, matchers: Sequence[Matcher]) -> bool:
        """Whether a selector may name a series that it writes."""
        return any(
            all(
                matcher.matches(known[matcher.name])
                for matcher in matchers
                if matcher.name in known
            )
            for known in ({**self.written, METRIC_NAME: name} for name in self.metrics)
        )

    def reads(self, other: "Member") -> bool:
        """Whether its expression may read what the other rule writes."""
        found = (n.matchers for n in walk(self.node) if isinstance(n, VectorSelector))
        return any(other.may_write(matchers) for matchers in found)

    @cached_property
    def of_the_whole(self) -> bool:
        """Whether its value depends on where a query begins and ends."""
        return any(
            getattr(n, "at", None) in ("start", "end")
            or (isinstance(n, Call) and n.function in _OF_THE_WHOLE)
            for n in walk(self.node)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The rules that take part, in the order of evaluation.

    ``targets`` are the alerting rules that are asked about; ``writers`` those whose series others
    read. ``one_by_one`` says that steps cannot be batched: a rule reads what a later one writes.
    """

    members: Sequence[Member]
    targets: Sequence[Member]
    writers: Sequence[Member]
    one_by_one: bool

    @property
    def evaluations(self) -> int:
        """How many evaluations of rules it takes."""
        return sum(len(member.schedule.times) for member in self.members)


def plan(
    groups: Sequence[RuleGroup],
    start: float,
    end: float,
    *,
    only: str = "",
    default_interval: float = 60.0,
    phases: Mapping[str, float] | None = None,
) -> Plan:
    """What a backtest of these groups takes. ``only`` names one alert.

    ``phases`` gives the offsets of groups within their intervals by the groups' names; the
    others have those that a running server gives them.

    Raises:
        BadBacktest: there is no alerting rule, or none of the name.
    """
    everyone = [
        Member(group, rule, _schedule(group, start, end, default_interval, phases or {}))
        for group in groups
        for rule in group.rules
    ]
    targets = _targets(everyone, only)
    needed = _needed(everyone, targets)
    writers = [w for w in needed if any(m.reads(w) for m in needed)]
    ordered, in_order = _in_order(needed, writers)
    even = all(member.schedule.even for member in needed)
    return Plan(ordered, targets, writers, not (in_order and even))


def _schedule(
    group: RuleGroup, start: float, end: float, default: float, phases: Mapping[str, float]
) -> Schedule:
    interval = group.interval or default
    phase = phases.get(group.name)
    if phase is None:
        phase = spread(group.key, interval)
    return Schedule.of(group, interval, phase, start, end)


def _targets(everyone: Sequence[Member], only: str) -> list[Member]:
    alerts = [member for member in everyone if member.rule.alert]
    if not alerts:
        raise BadBacktest("there is no alerting rule to backtest.", hint="Rules with 'alert:' are.")
    chosen = [member for member in alerts if not only or member.rule.alert == only]
    if not chosen:
        names = ", ".join(sorted({member.rule.alert for member in alerts}))
        raise BadBacktest(f"there is no alert named {only!r}; there are: {names}")
    return chosen


def _needed(everyone: Sequence[Member], targets: Sequence[Member]) -> list[Member]:
    """The targets and, through any number of rules, what they read."""
    found, waiting = set(targets), list(targets)
    while waiting:
        reader = waiting.pop()
        for other in everyone:
            if other not in found and reader.reads(other):
                found.add(other)
                waiting.append(other)
    return [member for member in everyone if member in found]


def _in_order(needed: Sequence[Member], writers: Sequence[Member]) -> tuple[list[Member], bool]:
    """The rules with groups after those that they read, and whether that is possible.

    A group that asks for an earlier time (``query_offset``) than another reads of it what that
    one writes late only when it is there: then only steps in the order of time are right.
    """
    groups = list(dict.fromkeys(member.group.key for member in needed))
    before: dict[str, set[str]] = {key: set() for key in groups}
    possible = True
    position = {member: index for index, member in enumerate(needed)}
    for reader in needed:
        for writer in writers:
            if not reader.reads(writer):
                continue
            if reader.group is not writer.group:
                before[reader.group.key].add(writer.group.key)
                possible &= writer.group.query_offset <= reader.group.query_offset
            elif position[writer] >= position[reader]:
                possible = False
    ordered: list[str] = []
    while ready := [k for k in groups if k not in ordered and before[k] <= set(ordered)]:
        ordered += ready
    if len(ordered) < len(groups):
        return list(needed), False
    return [m for key in ordered for m in needed if m.group.key == key], possible


def longest_look_back(nodes: Iterable[Node], lookback_ms: int) -> int:
    """Milliseconds that expressions look back at most, through windows and offsets.

    -1 when one is tied to a time of its own (``@``), so that everything may be read.
    """
    longest = 0
    for node in nodes:
        every = walk(node)
        if any(getattr(each, "at", None) is not None for each in every):
            return -1
        # Nested windows add up; so does, at most, everything that occurs.
        windows = sum(getattr(each, "range_ms", 0) for each in every)
        offsets = sum(
            max(each.offset_ms, 0) for each in every if isinstance(each, VectorSelector | Subquery)
        )
        longest = max(longest, windows + offsets + lookback_ms)
    return longest


def warm_up(planned: Plan, holds: Sequence[float], lookback: float) -> float:
    """Seconds that a backtest begins before its range.

    So that what began before it is pending or firing at its start, and what rules record is
    there for the windows that reach back over it. ``lookback`` is that of instant selectors.
    """
    rules = [member.rule for member in planned.targets]
    longest = max([*holds, *(rule.hold + rule.keep_firing_for for rule in rules)])
    if planned.writers:
        nodes = (member.node for member in planned.members)
        longest += max(longest_look_back(nodes, round(lookback * 1000)), 0) / 1000
    return longest
