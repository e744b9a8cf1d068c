"""What is not a query: alerts, targets and the state of the product, as pages take them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pynomaly.figures.timeseries import Mark
from pynomaly.model.alert import Alert, AlertState
from pynomaly.web.deps import Health, Stats, Status, TargetHealth, TargetStatus, WebDeps
from pynomaly.web.rules import rules_snapshot

Snapshot = dict[str, Any]

TOPICS = ("alerts", "targets", "overview", "rules")
MAX_ROWS = 2_000
_MAX_MARKS = 8
_SEVERITY_ORDER = {"critical": 0, "high": 1, "page": 1, "warning": 2, "info": 3, "none": 4}
_TARGET_ORDER = {TargetHealth.DOWN: 0, TargetHealth.UNKNOWN: 1, TargetHealth.UP: 2}


class Snapshots:
    """Takes the present state of what is asked for by topic."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps

    async def take(self, topic: str) -> Snapshot:
        """The state of ``alerts``, ``targets``, ``rules`` or ``overview``."""
        if topic == "alerts":
            return alerts_snapshot(self._deps.alerts.alerts())
        if topic == "targets":
            return targets_snapshot(self._deps.targets.targets())
        if topic == "rules":
            return rules_snapshot(self._deps.rules.groups())
        return overview_snapshot(self._deps.health(), await self._deps.stats())

    def marks(self) -> list[Mark]:
        """When the newest alerts began to fire."""
        alerts = self._deps.alerts.alerts()
        firing = [a for a in alerts if a.state is AlertState.FIRING and not is_quiet(a)]
        newest = sorted(firing, key=lambda alert: -alert.fired_at)[:_MAX_MARKS]
        return [Mark(round(a.fired_at * 1000), a.name) for a in newest if a.fired_at]


def alerts_snapshot(alerts: Sequence[Alert]) -> Snapshot:
    """Alerts by consequence: firing before pending, severe first, newest first.

    An alert of severity ``none`` fires by design (a watchdog): it is listed, and not counted.
    """
    active = sorted((a for a in alerts if a.state is not AlertState.INACTIVE), key=_consequence)
    loud = [alert for alert in active if not is_quiet(alert)]
    firing = sum(alert.state is AlertState.FIRING for alert in loud)
    return {
        "firing": firing,
        "pending": len(loud) - firing,
        "alerts": [_alert(alert) for alert in active[:MAX_ROWS]],
    }


def is_quiet(alert: Alert) -> bool:
    """Whether it is no trouble that this alert fires."""
    return alert.labels.get("severity", "") == "none"


def _consequence(alert: Alert) -> tuple[bool, bool, int, float, str]:
    severity = alert.labels.get("severity", "")
    return (
        is_quiet(alert),
        alert.state is not AlertState.FIRING,
        _SEVERITY_ORDER.get(severity, 2),
        -alert.active_at,
        alert.name,
    )


def _alert(alert: Alert) -> Snapshot:
    value = alert.value
    return {
        "id": alert.fingerprint,
        "name": alert.name,
        "state": str(alert.state),
        "severity": alert.labels.get("severity", ""),
        "quiet": is_quiet(alert),
        "labels": {n: v for n, v in alert.labels.items() if n not in ("alertname", "severity")},
        "annotations": dict(alert.annotations),
        "value": value if value == value and abs(value) != float("inf") else str(value),
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "expr": expression_of(alert.generator_url),
    }


def expression_of(generator_url: str) -> str:
    """The expression that an alert's generator URL carries, in Prometheus's form or ours."""
    query = parse_qs(urlsplit(generator_url).query)
    return next((query[name][0] for name in ("g0.expr", "q", "expr") if name in query), "")


def targets_snapshot(targets: Sequence[TargetStatus]) -> Snapshot:
    """Targets, those that do not answer first."""
    ordered = sorted(targets, key=lambda t: (_TARGET_ORDER[t.health], t.job, t.instance))
    return {
        "total": len(ordered),
        "down": sum(t.health is TargetHealth.DOWN for t in ordered),
        "targets": [_target(target) for target in ordered[:MAX_ROWS]],
    }


def _target(target: TargetStatus) -> Snapshot:
    return {
        "job": target.job,
        "instance": target.instance,
        "url": target.url,
        "health": str(target.health),
        "last_scrape": target.last_scrape,
        "duration": target.duration_seconds,
        "error": target.last_error,
        "labels": {n: v for n, v in target.labels.items() if n not in ("job", "instance")},
    }


def health_json(health: Health) -> Snapshot:
    """The product's health as ``/health`` answers it."""
    return {
        "status": str(health.status),
        "components": {
            c.name: {"status": str(c.status), "detail": c.detail} for c in health.components
        },
    }


def overview_snapshot(health: Health, stats: Stats) -> Snapshot:
    """Health and numbers of the product itself."""
    return {
        "health": health_json(health),
        "troubled": [
            {"name": c.name, "status": str(c.status), "detail": c.detail}
            for c in health.components
            if c.status is not Status.OK
        ],
        "series": stats.series,
        "samples_per_second": stats.samples_per_second,
        "query_p95_seconds": stats.query_p95_seconds,
        "disk_bytes": stats.disk_bytes,
        "disk_free_bytes": stats.disk_free_bytes,
        "memory_bytes": stats.memory_bytes,
        "uptime_seconds": stats.uptime_seconds,
        "top_metrics": [list(row) for row in stats.top_metrics],
    }
