"""What rules have let through lately, and so whether the next alert passes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pynomaly.alerting.suppression.repository import Passed
from pynomaly.alerting.suppression.rule import SuppressionRule
from pynomaly.model.labels import Labels


@dataclass(frozen=True, slots=True)
class Candidate:
    """An alert that fires since ``started_at``, on its way to a receiver."""

    receiver: str
    fingerprint: str
    started_at: float
    labels: Labels


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A rule holds an alert back until a time (epoch seconds), since it let ``last`` through."""

    rule: SuppressionRule
    last: Passed
    until: float


_Key = tuple[str, str, str]


class Counts:
    """Counts firings, not looks at them: one that was let through stays so."""

    def __init__(self, passed: Iterable[Passed] = ()) -> None:
        self._passed: defaultdict[_Key, list[Passed]] = defaultdict(list)
        for one in passed:
            self.add(one)

    def add(self, passed: Passed) -> None:
        """A rule has let this one through."""
        self._passed[passed.rule, passed.receiver, passed.key].append(passed)

    def look(
        self, rules: Sequence[SuppressionRule], candidate: Candidate, now: float
    ) -> Suppressed | list[Passed]:
        """The rule that holds an alert back longest, or what every rule has to count for it.

        Changes nothing. Nothing is to be counted where no rule is about the alert, and where it
        was let through before.
        """
        found: list[Passed] = []
        held: Suppressed | None = None
        for rule in rules:
            if not rule.takes(candidate.labels):
                continue
            lately, passed = self._lately(rule, candidate, now)
            if any(_same(one, candidate) for one in lately):
                continue
            if len(lately) < rule.most:
                found.append(passed)
                continue
            until = lately[len(lately) - rule.most].at + rule.window
            if held is None or until > held.until:
                held = Suppressed(rule, lately[-1], until)
        return held or found

    def forget(self, rules: Sequence[SuppressionRule], now: float) -> list[Passed]:
        """Drop and return what counts no longer."""
        windows = {rule.name: rule.window for rule in rules}
        old: list[Passed] = []
        for key in list(self._passed):
            oldest = now - windows.get(key[0], 0.0)
            kept = [one for one in self._passed[key] if one.at > oldest]
            old += [one for one in self._passed[key] if one.at <= oldest]
            if kept:
                self._passed[key] = kept
            else:
                del self._passed[key]
        return old

    def forget_rule(self, name: str) -> None:
        """Drop all that a rule has let through."""
        for key in [key for key in self._passed if key[0] == name]:
            del self._passed[key]

    def _lately(
        self, rule: SuppressionRule, candidate: Candidate, now: float
    ) -> tuple[list[Passed], Passed]:
        labels = rule.key(candidate.labels)
        passed = Passed(
            rule.name,
            candidate.receiver,
            candidate.fingerprint,
            candidate.started_at,
            labels,
            candidate.labels.get("alertname", ""),
            now,
        )
        counted = self._passed.get((rule.name, candidate.receiver, labels), [])
        return [one for one in counted if one.at > now - rule.window], passed


def _same(one: Passed, candidate: Candidate) -> bool:
    return (one.fingerprint, one.started_at) == (candidate.fingerprint, candidate.started_at)
