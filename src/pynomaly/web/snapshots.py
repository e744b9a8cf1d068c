"""What is not a query: alerts, targets and the state of the product, as pages take them."""

from collections.abc import Sequence
from typing import Any

from pynomaly.figures.timeseries import Mark
from pynomaly.model.alert import AlertState
from pynomaly.web.alerts.board import MAX_ROWS, AlertBoard, is_quiet
from pynomaly.web.alerts.silences import silences_snapshot
from pynomaly.web.anomalies import anomalies_snapshot
from pynomaly.web.deps import Health, Stats, Status, TargetHealth, TargetStatus, WebDeps
from pynomaly.web.rules import rules_snapshot

Snapshot = dict[str, Any]

TOPICS = ("alerts", "targets", "overview", "rules", "silences", "anomalies", "events")
_MAX_MARKS = 8
_TARGET_ORDER = {TargetHealth.DOWN: 0, TargetHealth.UNKNOWN: 1, TargetHealth.UP: 2}


class Snapshots:
    """Takes the present state of what is asked for by topic."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps
        manager = deps.alerting.manager if deps.alerting is not None else None
        self._board = AlertBoard(deps.alerts, manager, deps.clock)

    async def take(self, topic: str) -> Snapshot:
        """The state of a topic."""
        if topic == "alerts":
            return await self._board.snapshot()
        if topic == "silences":
            return await self._silences()
        if topic == "anomalies":
            return anomalies_snapshot(self._deps.anomalies)
        if topic == "events":
            return {"version": self._deps.calendar.version if self._deps.calendar else 0}
        if topic == "targets":
            return targets_snapshot(self._deps.targets.targets())
        if topic == "rules":
            return rules_snapshot(self._deps.rules.groups())
        return overview_snapshot(self._deps.health(), await self._deps.stats())

    async def _silences(self) -> Snapshot:
        if self._deps.alerting is None:
            return {"active": 0, "pending": 0, "total": 0, "silences": []}
        silences = self._deps.alerting.manager.silences
        return silences_snapshot(silences, await self._board.all(), self._deps.clock.now())

    def marks(self) -> list[Mark]:
        """When the newest alerts began to fire."""
        alerts = self._deps.alerts.alerts()
        firing = [a for a in alerts if a.state is AlertState.FIRING and not is_quiet(a)]
        newest = sorted(firing, key=lambda alert: -alert.fired_at)[:_MAX_MARKS]
        return [Mark(round(a.fired_at * 1000), a.name) for a in newest if a.fired_at]


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
