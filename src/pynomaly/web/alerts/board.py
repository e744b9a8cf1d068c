"""Every alert there is, from rules and from outside, with what holds it back."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from pynomaly.alerting.explain.explanation import NoiseStanding
from pynomaly.alerting.explain.noise import standing
from pynomaly.alerting.manager import AlertManager
from pynomaly.calendar.events import Occurrence
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock
from pynomaly.web.alerts.marks import noise_json

Snapshot = dict[str, Any]

MAX_ROWS = 2_000
_AT_ONCE = 500
"""Alerts looked at before others get their turn."""

_SEVERITY_ORDER = {"critical": 0, "high": 1, "page": 1, "warning": 2, "info": 3, "none": 4}
_RULES = "rules"


class AlertSource(Protocol):
    """Where the alerts of rules come from."""

    def alerts(self) -> Sequence[Alert]:
        """The pending and firing alerts."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert with where it came from and what holds it back.

    ``silenced``: ids of silences. ``inhibited``: the fingerprint of the alert that inhibits it.
    ``maintenance``: the windows that hold it.
    ``noise``: what suppresses it, who has taken it on, and whether it flaps.
    """

    alert: Alert
    source: str = _RULES
    silenced: tuple[str, ...] = ()
    inhibited: str = ""
    maintenance: tuple[Occurrence, ...] = ()
    noise: NoiseStanding = NoiseStanding()  # noqa: RUF009 (immutable)

    @property
    def held(self) -> bool:
        """Whether nobody is told of it: silenced, inhibited, in maintenance or suppressed."""
        reasons = (self.silenced, self.inhibited, self.maintenance, self.noise.suppressed_by)
        return any(reasons)


class AlertBoard:
    """Lists alerts; without a manager only those of rules, which nothing holds back."""

    def __init__(self, rules: AlertSource, manager: AlertManager | None, clock: Clock) -> None:
        self._rules = rules
        self._manager = manager
        self._clock = clock

    async def snapshot(self) -> Snapshot:
        """What pages show of them."""
        return await asyncio.to_thread(alerts_snapshot, await self.all())

    async def all(self) -> list[Standing]:
        """Every pending and firing alert; others get their turn meanwhile."""
        found = []
        for number, each in enumerate(self._all()):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            found.append(each)
        return found

    def _all(self) -> Iterator[Standing]:
        own = [a for a in self._rules.alerts() if a.state is not AlertState.INACTIVE]
        for alert in own:
            yield self._standing(alert, _RULES)
        if self._manager is None:
            return
        of_rules, now = {alert.fingerprint for alert in own}, self._clock.now()
        for received in self._manager.alerts.all():
            if received.fingerprint not in of_rules and not received.resolved(now):
                yield self._standing(received.at(now), received.source)

    def _standing(self, alert: Alert, source: str) -> Standing:
        if self._manager is None or alert.state is not AlertState.FIRING:
            return Standing(alert, source)
        identity, labels = alert.fingerprint, alert.labels
        inhibitor = self._manager.setup.inhibitor
        now = self._clock.now()
        found = inhibitor.inhibited_by(identity, labels, now)
        silenced = self._manager.silencer.silenced_by(identity, labels)
        return Standing(
            alert,
            source,
            silenced=silenced,
            inhibited=found.source if found is not None else "",
            maintenance=tuple(self._manager.maintenance.windows(labels, now)),
            noise=standing(self._manager, alert, now),
        )


def alerts_snapshot(found: Sequence[Standing]) -> Snapshot:
    """Alerts by consequence: firing before pending and held back, severe first, newest first.

    An alert of severity ``none`` fires by design (a watchdog): it is listed, and not counted.
    ``firing`` counts those that nothing holds back, ``held`` the others.
    """
    ordered = sorted(found, key=_consequence)
    loud = [each for each in ordered if not is_quiet(each.alert)]
    firing = [each for each in loud if each.alert.state is AlertState.FIRING]
    held = sum(each.held for each in firing)
    return {
        "total": len(ordered),
        "firing": len(firing) - held,
        "held": held,
        "pending": len(loud) - len(firing),
        "alerts": [alert_row(each) for each in ordered[:MAX_ROWS]],
    }


def is_quiet(alert: Alert) -> bool:
    """Whether it is no trouble that this alert fires."""
    return alert.labels.get("severity", "") == "none"


def _consequence(each: Standing) -> tuple[bool, bool, bool, int, float, str]:
    alert = each.alert
    severity = alert.labels.get("severity", "")
    return (
        is_quiet(alert),
        each.held,
        alert.state is not AlertState.FIRING,
        _SEVERITY_ORDER.get(severity, 2),
        -alert.active_at,
        alert.name,
    )


def alert_row(each: Standing) -> Snapshot:
    """One alert as pages show it; a value that is not known, as of those from outside, is None."""
    alert, value = each.alert, each.alert.value
    shown: float | str | None = value if abs(value) != float("inf") else str(value)
    return {
        "id": alert.fingerprint,
        "name": alert.name,
        "state": str(alert.state),
        "severity": alert.labels.get("severity", ""),
        "quiet": is_quiet(alert),
        "held": each.held,
        "silenced": list(each.silenced),
        "inhibited": each.inhibited,
        "maintenance": [
            {"id": window.event.id, "title": window.event.title, "ends_at": window.ends_at}
            for window in each.maintenance
        ],
        **noise_json(each.noise),
        "source": each.source,
        "labels": {n: v for n, v in alert.labels.items() if n not in ("alertname", "severity")},
        "annotations": dict(alert.annotations),
        "value": shown if value == value else None,
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "expr": expression_of(alert.generator_url),
        "link": alert.generator_url if each.source != _RULES else "",
    }


def expression_of(generator_url: str) -> str:
    """The expression that an alert's generator URL carries, in Prometheus's form or ours."""
    query = parse_qs(urlsplit(generator_url).query)
    return next((query[name][0] for name in ("g0.expr", "q", "expr") if name in query), "")
