"""Which rules tell often and in vain, and what a change of them would have saved."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pynomaly.alerting.noise import repository
from pynomaly.alerting.noise.repository import LONGER, Cell, ReceiverCount, Span
from pynomaly.model.duration import format_duration
from pynomaly.model.labels import quoted
from pynomaly.storage.records import Records

SOON = 300.0
"""Seconds; what is resolved within them may not have needed a person."""

_ENOUGH = 3
"""Firings of which something can be said."""

_WORTH = 0.2
"""The share of a rule's notifications that a change must save to be proposed."""

_MOST = 0.5
"""A longer ``for`` that saves this share is long enough: waiting costs time when it matters."""

_AGAIN_WITHIN = "1h"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A change, and how many notifications it would have saved. ``kind``: for, suppress, remove.

    ``conditions``: of a suppression rule that does it.
    """

    kind: str
    text: str
    saved: int
    conditions: Mapping[str, Any] | None = None


@dataclass(slots=True)
class RuleNoise:
    """One rule by the name of its alerts; counts of firings, unless they say otherwise.

    ``notifications``: put down to its firings, ``unacted`` those of firings that nobody
    acknowledged or silenced. ``soon``: resolved within five minutes. ``hours``: by the hour of
    the day they began in. ``median``: seconds, None while none has ended. ``receivers``: the
    notifications that had alerts of it, also those that another alert occasioned.
    """

    name: str
    severity: str = ""
    firings: int = 0
    ended: int = 0
    notifications: int = 0
    unacted: int = 0
    acknowledged: int = 0
    silenced: int = 0
    acted: int = 0
    soon: int = 0
    flapping: int = 0
    again: int = 0
    again_notifications: int = 0
    median: float | None = None
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    receivers: list[ReceiverCount] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)

    @property
    def in_vain(self) -> bool:
        """Whether it told of firings and nobody ever acted on one."""
        return self.notifications > 0 and self.acted == 0

    def share(self, number: int) -> float:
        """The part of its firings that a count is, 0 to 1."""
        return number / self.firings if self.firings else 0.0


@dataclass(frozen=True, slots=True)
class NoiseReport:
    """Rules, those with the most notifications that nobody acted on first. ``left_out``: rules
    behind the limit. ``firings`` to ``in_vain`` are sums over all rules, also those."""

    since: float
    until: float
    timezone: str
    rules: Sequence[RuleNoise]
    left_out: int
    firings: int
    notifications: int
    unacted: int
    acted: int
    in_vain: int


def noise_report(
    records: Records, since: float, until: float, *, timezone: str, name: str = "", limit: int = 50
) -> NoiseReport:
    """Read and judge; takes as long as the database needs for two looks at the firings.

    Hours of the day are those of the time zone as it is at the end of the range.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    span = Span(since, until, name)
    zone = datetime.fromtimestamp(until, ZoneInfo(timezone)).utcoffset()
    with records.reading() as session:
        cells = repository.cells(session, span, zone.total_seconds() if zone else 0.0)
        durations = repository.durations(session, span)
        receivers = repository.receivers(session, span)
    by_name: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_name[cell.name].append(cell)
    rules = [_rule(each, its, durations.get(each, {})) for each, its in by_name.items()]
    rules.sort(key=lambda rule: (-rule.unacted, -(rule.firings - rule.acted), rule.name))
    shown = rules[:limit]
    told = {rule.name: rule for rule in shown}
    for count in receivers:
        if count.name in told:
            told[count.name].receivers.append(count)
    return NoiseReport(
        since,
        until,
        timezone,
        shown,
        len(rules) - len(shown),
        firings=sum(rule.firings for rule in rules),
        notifications=sum(rule.notifications for rule in rules),
        unacted=sum(rule.unacted for rule in rules),
        acted=sum(rule.acted for rule in rules),
        in_vain=sum(rule.in_vain for rule in rules),
    )


def _rule(name: str, cells: Sequence[Cell], durations: Mapping[int, int]) -> RuleNoise:
    rule = RuleNoise(name, median=median_of(durations))
    for cell in cells:
        rule.severity = max(rule.severity, cell.severity)
        rule.firings += cell.firings
        rule.notifications += cell.notifications
        rule.acknowledged += cell.acknowledged
        rule.silenced += cell.silenced
        rule.flapping += cell.flapping
        rule.again += cell.again
        rule.again_notifications += cell.again_notifications
        rule.hours[cell.hour] += cell.firings
        if cell.acted:
            rule.acted += cell.firings
        else:
            rule.unacted += cell.notifications
        if cell.lasted <= len(LONGER):
            rule.ended += cell.firings
        if cell.lasted <= LONGER.index(SOON):
            rule.soon += cell.firings
    rule.suggestions = suggestions(rule, cells)
    return rule


def median_of(durations: Mapping[int, int]) -> float | None:
    """The median of values that occur so often; the lower one of two in the middle."""
    middle = (sum(durations.values()) + 1) // 2
    for seconds in sorted(durations):
        middle -= durations[seconds]
        if middle <= 0:
            return float(seconds)
    return None


def suggestions(rule: RuleNoise, cells: Sequence[Cell]) -> list[Suggestion]:
    """What would have told less, the most first; never what would have hidden what was acted on."""
    if rule.firings < _ENOUGH or not rule.notifications:
        return []
    found = [*_longer(rule, cells), *_suppressed(rule)]
    if rule.in_vain:
        text = (
            f"It told {rule.notifications} times and nobody acted on any: record it instead, give "
            "it severity none, or remove it."
        )
        found.append(Suggestion("remove", text, rule.notifications))
    return sorted(found, key=lambda each: (each.kind == "remove", -each.saved))


def _longer(rule: RuleNoise, cells: Sequence[Cell]) -> list[Suggestion]:
    best: Suggestion | None = None
    for number, seconds in enumerate(LONGER):
        shorter = [cell for cell in cells if cell.lasted <= number]
        if any(cell.acted for cell in shorter):
            break
        saved = sum(cell.notifications for cell in shorter)
        if best is not None and saved <= best.saved:
            continue
        gone = sum(cell.firings for cell in shorter)
        text = (
            f"Were its for {format_duration(seconds)} longer, {gone} of {rule.firings} "
            f"firings and {saved} of {rule.notifications} notifications would not have been."
        )
        best = Suggestion("for", text, saved)
        if saved >= _MOST * rule.notifications:
            break
    return [best] if best is not None and best.saved >= _WORTH * rule.notifications else []


def _suppressed(rule: RuleNoise) -> list[Suggestion]:
    saved = rule.again_notifications
    if saved < _WORTH * rule.notifications:
        return []
    conditions = {
        "time_window": _AGAIN_WITHIN,
        "max_alerts_in_window": 1,
        "matchers": [f"alertname={quoted(rule.name)}"],
    }
    text = (
        f"A suppression rule of one in {_AGAIN_WITHIN} for each alert would have saved up to "
        f"{saved} of {rule.notifications} notifications."
    )
    return [Suggestion("suppress", text, saved, conditions)]
