"""Suppression rules in a program of one's own, without a server."""

from collections.abc import Mapping
from typing import Any

from pynomaly.alerting.pipeline.suppress import verdict
from pynomaly.alerting.suppression.counts import Candidate, Counts, Suppressed
from pynomaly.alerting.suppression.errors import NoSuchSuppressionRule
from pynomaly.alerting.suppression.rule import SuppressionRule, read_rule
from pynomaly.model.alert import fingerprint
from pynomaly.model.clock import Clock, SystemClock
from pynomaly.model.labels import Labels


class CorrelationEngine:
    """Says which alerts are one too many, by the rules and the code that the server goes by.

    Rules and counts live in this process; a server takes its rules from the configuration and
    from ``POST /api/alerts/suppression-rules``. Call it from one thread.

    >>> engine = CorrelationEngine()
    >>> conditions = {"time_window": 300, "max_alerts_in_window": 1}
    >>> rule = engine.add_suppression_rule({"name": "duplicates", "conditions": conditions})
    >>> alert = {"alertname": "DiskFull", "instance": "db-1"}
    >>> engine.suppressed(alert, started_at=1.0)
    ''
    >>> engine.suppressed(alert, started_at=2.0).startswith("rule duplicates allows 1 alert in 5m")
    True
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._rules: dict[str, SuppressionRule] = {}
        self._counts = Counts()

    @property
    def suppression_rules(self) -> list[SuppressionRule]:
        """The rules, in the order in which they were added."""
        return list(self._rules.values())

    def add_suppression_rule(self, rule: Mapping[str, Any]) -> SuppressionRule:
        """Add a rule, or change the one of its name.

        Args:
            rule: ``name``, and ``conditions`` with ``time_window`` (seconds, or ``"5m"``),
                ``max_alerts_in_window`` and, if you like, ``matchers`` and ``by``; the conditions
                may also stand beside the name.

        Raises:
            BadSuppressionRule: what is wrong with it.
        """
        kept = SuppressionRule.of(read_rule(rule), created_at=self._clock.now())
        self._rules[kept.name] = kept
        return kept

    def remove_suppression_rule(self, name: str) -> None:
        """Forget a rule and what it has counted.

        Raises:
            NoSuchSuppressionRule: there is none of this name.
        """
        if name not in self._rules:
            raise NoSuchSuppressionRule(f"No suppression rule is called {name!r}.")
        del self._rules[name]
        self._counts.forget_rule(name)

    def suppressed(self, labels: Mapping[str, str], *, started_at: float | None = None) -> str:
        """Why an alert with these labels is held back; empty if it passes, and then it counts.

        ``started_at`` (epoch seconds): since when it fires; now, unless given. The same alert
        with the same beginning is the same firing, which counts once.
        """
        now, named = self._clock.now(), Labels(labels)
        began = now if started_at is None else started_at
        rules = self.suppression_rules
        self._counts.forget(rules, now)
        found = self._counts.look(rules, Candidate("", fingerprint(named), began, named), now)
        if isinstance(found, Suppressed):
            return verdict(found).reason
        for passed in found:
            self._counts.add(passed)
        return ""
