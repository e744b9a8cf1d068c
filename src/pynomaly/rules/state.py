"""The life of an alert, as pure functions of the time that is passed in.

::

    inactive --found--> pending --found for `for`--> firing --not found--> resolved
                           |                            ^                     |
                           +--not found--> forgotten    +------ found --------+

A firing alert that is not found any more goes on for ``keep_firing_for``. A resolved alert is
kept for 15 minutes, so that whoever must be told can be. The rules are those of Prometheus's
``rules/alerting.go``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pynomaly.model.alert import Alert, AlertState, fingerprint
from pynomaly.model.labels import Labels

RESOLVED_RETENTION = 15 * 60.0
"""Seconds for which a resolved alert is remembered."""

OUTAGE_GRACE = 10 * 60.0
"""Seconds that a pending alert with a longer ``for`` waits at least after a restart."""


@dataclass(frozen=True, slots=True)
class Timing:
    """``for`` and ``keep_firing_for`` in seconds."""

    hold: float = 0.0
    keep_firing_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule's expression gave for one label set."""

    value: float
    annotations: Labels
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Seed:
    """An alert as it was when the process before this one last wrote it down (epoch seconds)."""

    active_at: float
    last_seen: float


def advance(
    alert: Alert | None, labels: Labels, finding: Finding | None, timing: Timing, now: float
) -> Alert | None:
    """The alert after an evaluation at ``now`` that gave ``finding``; None when forgotten."""
    if finding is not None:
        return _found(alert, labels, finding, timing, now)
    return None if alert is None else _not_found(alert, timing, now)


def _found(
    alert: Alert | None, labels: Labels, finding: Finding, timing: Timing, now: float
) -> Alert:
    if alert is None or alert.state is AlertState.INACTIVE:
        alert = Alert(
            labels,
            finding.annotations,
            AlertState.PENDING,
            finding.value,
            now,
            known_fingerprint=fingerprint(labels),  # asked for at each change of any alert
        )
    due = now - alert.active_at >= timing.hold
    fired_at = (alert.fired_at or now) if due else 0.0
    return replace(
        alert,
        annotations=finding.annotations,
        value=finding.value,
        generator_url=finding.generator_url,
        state=AlertState.FIRING if due else AlertState.PENDING,
        fired_at=fired_at,
        keep_firing_since=0.0,
    )


def _not_found(alert: Alert, timing: Timing, now: float) -> Alert | None:
    if alert.state is AlertState.PENDING:
        return None
    if alert.state is AlertState.INACTIVE:
        return None if now - alert.resolved_at > RESOLVED_RETENTION else alert
    since = alert.keep_firing_since or now
    if now - since < timing.keep_firing_for:
        return replace(alert, keep_firing_since=since)
    return replace(alert, state=AlertState.INACTIVE, resolved_at=now)


def restored(alert: Alert, seed: Seed, timing: Timing, now: float) -> Alert:
    """``alert`` as it was before a restart: firing goes on firing, pending goes on pending.

    The time that the process was away does not count towards ``for``; and where ``for`` is
    longer than the grace, at least the grace passes before it fires, so that what it watches can
    come back as well.
    """
    # A sample's time is in whole milliseconds, so it may be a little before the alert's.
    remaining = timing.hold - max(0.0, seed.last_seen - seed.active_at)
    if remaining <= 0:
        fired_at = seed.active_at + timing.hold
        state = AlertState.FIRING
        return replace(alert, state=state, active_at=seed.active_at, fired_at=fired_at)
    if timing.hold >= OUTAGE_GRACE and remaining < OUTAGE_GRACE:
        active_at = now + OUTAGE_GRACE - timing.hold
    else:
        active_at = seed.active_at + max(0.0, now - seed.last_seen)
    return replace(alert, state=AlertState.PENDING, active_at=active_at)


class AlertSet:
    """The alerts of one rule by their label sets."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.alerts: dict[Labels, Alert] = {}
        self._spared: dict[Labels, float] = {}

    def restore(
        self, seeds: Mapping[Labels, tuple[Finding, Seed]], now: float, grace: float
    ) -> None:
        """Take over the alerts of before a restart.

        What is not found at once is spared for ``grace`` seconds: the series that it is found by
        may not have been collected again yet. It does not begin to fire unless it is found.
        """
        for labels, (finding, seed) in seeds.items():
            blank = _found(None, labels, finding, self.timing, now)
            self.alerts[labels] = restored(blank, seed, self.timing, now)
            self._spared[labels] = now + grace

    def adopt(self, other: "AlertSet") -> None:
        """Take over the alerts of a rule that this one replaces."""
        self.alerts = dict(other.alerts)
        self._spared = dict(other._spared)

    def postpone(self, seconds: float) -> None:
        """Take these seconds, in which nobody could look, out of the ``for`` of what is pending."""
        for labels, alert in self.alerts.items():
            if alert.state is AlertState.PENDING:
                self.alerts[labels] = replace(alert, active_at=alert.active_at + seconds)

    def evaluate(self, findings: Mapping[Labels, Finding], now: float) -> list[Alert]:
        """Advance every alert; returns those that changed their state."""
        changed: list[Alert] = []
        for labels in {**self.alerts, **findings}:
            before, finding = self.alerts.get(labels), findings.get(labels)
            if finding is None and now < self._spared.get(labels, 0.0):
                continue
            self._spared.pop(labels, None)
            after = advance(before, labels, finding, self.timing, now)
            if after is None:
                self.alerts.pop(labels, None)
            else:
                self.alerts[labels] = after
            changed += _change(before, after)
        return changed

    def active(self) -> list[Alert]:
        """The pending and firing alerts."""
        return [a for a in self.alerts.values() if a.state is not AlertState.INACTIVE]

    def clear(self) -> None:
        """Forget everything: the rule found more than its limit."""
        self.alerts.clear()
        self._spared.clear()


def _change(before: Alert | None, after: Alert | None) -> list[Alert]:
    if after is None:
        # A pending alert that went away; a resolved one that is forgotten is no news.
        ended = before is not None and before.state is AlertState.PENDING
        return [replace(before, state=AlertState.INACTIVE)] if ended and before else []
    same = before is not None and before.state is after.state
    return [] if same else [after]
