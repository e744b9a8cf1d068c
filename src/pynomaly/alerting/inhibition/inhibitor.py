"""Which alert keeps another quiet.

A rule's sources are shelved by their values of its ``equal`` labels, so that a target looks only
at those that could inhibit it. Which sides of which rules an alert matches depends on its labels
alone, and is worked out once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pynomaly.alerting.alertmanager.inhibition import InhibitRule
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match

_Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """An alert is kept quiet by the alert of the fingerprint ``source``, by a rule."""

    source: str
    rule: str


@dataclass(slots=True)
class _Shelf:
    """The sources of one rule with the same values of its ``equal`` labels, by fingerprint.

    Those that are targets of the rule, too, stand apart: among such, none inhibits another.
    """

    only_sources: dict[str, ReceivedAlert] = field(default_factory=dict)
    on_both_sides: dict[str, ReceivedAlert] = field(default_factory=dict)

    def firing(self, now: float, *, only_sources: bool) -> str | None:
        sides = (self.only_sources,) if only_sources else (self.only_sources, self.on_both_sides)
        for side in sides:
            for fingerprint, alert in list(side.items()):
                if not alert.resolved(now):
                    return fingerprint
                del side[fingerprint]  # should it fire again, it is put here again
        return None


class _Rule:
    def __init__(self, rule: InhibitRule, number: int) -> None:
        self.rule = rule
        self.name = rule.name or f"inhibit_rules[{number}]"
        self._equal = sorted(rule.equal)
        self._shelves: dict[_Values, _Shelf] = {}

    def sides(self, labels: Labels) -> tuple[bool, bool]:
        """Whether an alert is a source, and whether it is a target."""
        rule = self.rule
        return all_match(rule.source_matchers, labels), all_match(rule.target_matchers, labels)

    def put(self, alert: ReceivedAlert, *, is_target: bool) -> None:
        shelf = self._shelves.setdefault(self._values(alert.labels), _Shelf())
        side = shelf.on_both_sides if is_target else shelf.only_sources
        side[alert.fingerprint] = alert

    def remove(self, alert: ReceivedAlert) -> None:
        values = self._values(alert.labels)
        if (shelf := self._shelves.get(values)) is not None:
            shelf.only_sources.pop(alert.fingerprint, None)
            shelf.on_both_sides.pop(alert.fingerprint, None)
            if not shelf.only_sources and not shelf.on_both_sides:
                del self._shelves[values]

    def source_of(self, labels: Labels, now: float, *, is_source: bool) -> str | None:
        shelf = self._shelves.get(self._values(labels))
        return None if shelf is None else shelf.firing(now, only_sources=is_source)

    def _values(self, labels: Labels) -> _Values:
        return tuple(labels.get(name, "") for name in self._equal)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The rules of which an alert is a source, a target; ``both``: which of these are both."""

    sources: tuple[_Rule, ...] = ()
    targets: tuple[_Rule, ...] = ()
    both: frozenset[_Rule] = frozenset()


_NOTHING = _Sides()


class Inhibitor:
    """Keeps the sources of all rules; give it every alert that is received."""

    def __init__(self, rules: Sequence[InhibitRule]) -> None:
        self._rules = [_Rule(rule, number) for number, rule in enumerate(rules)]
        self._sides: dict[str, _Sides] = {}

    def observe(self, alerts: Iterable[ReceivedAlert]) -> None:
        """These are as they are now."""
        for alert in alerts:
            sides = self._sides_of(alert.fingerprint, alert.labels)
            for rule in sides.sources:
                rule.put(alert, is_target=rule in sides.both)

    def inhibited_by(self, fingerprint: str, labels: Labels, now: float) -> Inhibition | None:
        """The first rule and source that keep an alert quiet at ``now``; None if none does."""
        sides = self._sides_of(fingerprint, labels)
        for rule in sides.targets:
            source = rule.source_of(labels, now, is_source=rule in sides.both)
            if source is not None:
                return Inhibition(source, rule.name)
        return None

    def forget(self, alerts: Iterable[ReceivedAlert]) -> None:
        """These are no more."""
        for alert in alerts:
            for rule in self._sides.pop(alert.fingerprint, _NOTHING).sources:
                rule.remove(alert)

    def _sides_of(self, fingerprint: str, labels: Labels) -> _Sides:
        known = self._sides.get(fingerprint)
        if known is None:
            known = self._sides[fingerprint] = self._work_out(labels)
        return known

    def _work_out(self, labels: Labels) -> _Sides:
        found = [(rule, rule.sides(labels)) for rule in self._rules]
        sources = tuple(rule for rule, (source, _) in found if source)
        targets = tuple(rule for rule, (_, target) in found if target)
        both = frozenset(sources) & frozenset(targets)
        return _Sides(sources, targets, both) if sources or targets else _NOTHING
