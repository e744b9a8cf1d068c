"""The story: what happens, told while it does, from what the product's API says."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pynomaly.cli.client import Client, Refused, ServerUnreachable
from pynomaly.cli.demo.faults import Fault

Tell = Callable[[str, str], None]
"""Shows a line: what happened in a word or two, and the rest."""

_UNUSUAL = 0.8
_MOST_ANOMALIES = 4
_JOB = "detection-service"
_ALWAYS_FIRES = "Watchdog"
_PATIENCE = 300.0
"""Seconds after the fault's end in which its alerts should have been resolved."""


@dataclass
class Story:
    """Follows a fault: on, anomalies, alerts, off, resolved. Call ``look`` every second."""

    product: Client
    service: Client
    fault: Fault | None
    tell: Tell
    monotonic: Callable[[], float] = time.monotonic
    _on: bool = False
    _ended: float | None = None
    _usual: set[str] = field(default_factory=set)
    _anomalies: set[str] = field(default_factory=set)
    _alerts: dict[tuple[str, str], str] = field(default_factory=dict)
    _fired: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Tell what is new; a server that does not answer now is asked again."""
        for part in (self._look_at_fault, self._look_at_anomalies, self._look_at_alerts):
            try:
                part()
            except (ServerUnreachable, Refused):
                continue

    @property
    def told(self) -> bool:
        """Whether it is at its end: the fault is over, and what it set off is resolved."""
        if self.fault is None or self._ended is None:
            return False
        active = {name for name, _ in self._alerts}
        return bool(self._fired & self.fault.alerts) and not active & self.fault.alerts

    @property
    def complete(self) -> bool:
        """Whether anomaly and alert were both seen."""
        return bool(self.fault and self._anomalies and self._fired & self.fault.alerts)

    @property
    def late(self) -> bool:
        """Whether the end should have come long ago."""
        return self._ended is not None and self.monotonic() - self._ended > _PATIENCE

    def _look_at_fault(self) -> None:
        if self.fault is None:
            return
        (found,) = [f for f in self.service.get("/faults") if f["name"] == self.fault.name]
        if found["on"] and not self._on:
            self.tell("fault on", f"{self.fault.name}: {found['says']}")
        if self._on and not found["on"] and found["begins"] is None:
            self.tell("fault off", self.fault.name)
            self._ended = self.monotonic()
        # A service that has died and is back has its fault planned, and on at its next tick.
        self._on = found["on"] or (self._on and found["begins"] is not None)

    def _look_at_anomalies(self) -> None:
        if self.fault is None or self.told:
            return
        selector = f'anomaly_score{{job="{_JOB}",of=~"{self.fault.series}"}}'
        expr = f"sort_desc({selector} >= {_UNUSUAL})"
        for found in self.product.get("/api/v1/query", {"query": expr})["data"]["result"]:
            series = _series(found["metric"])
            if not self._on and self._ended is None:
                self._usual.add(series)
            elif series not in self._usual | self._anomalies:
                if len(self._anomalies) < _MOST_ANOMALIES:
                    self.tell("anomaly", f"{series}, score {float(found['value'][1]):.2f}")
                self._anomalies.add(series)

    def _look_at_alerts(self) -> None:
        found = self.product.get("/api/v1/alerts")["data"]["alerts"]
        now = {_key(alert): alert for alert in found if _key(alert)[0] != _ALWAYS_FIRES}
        for key, alert in now.items():
            if self._alerts.get(key) == alert["state"]:
                continue
            if alert["state"] == "firing":
                self._fired.add(key[0])
            if alert["state"] == "firing" or self._is_about(key[0]):
                self.tell(f"alert {alert['state']}", _alert(alert))
        for key in self._alerts.keys() - now.keys():
            if self._alerts[key] == "firing":
                self.tell("alert resolved", key[0])
        self._alerts = {key: alert["state"] for key, alert in now.items()}

    def _is_about(self, alert: str) -> bool:
        """Whether an alert is told from pending on; of all others only what fires is news."""
        return self.fault is not None and self._on and alert in self.fault.alerts


def _key(alert: dict[str, Any]) -> tuple[str, str]:
    return alert["labels"]["alertname"], repr(sorted(alert["labels"].items()))


def _alert(alert: dict[str, Any]) -> str:
    labels, annotations = alert["labels"], alert["annotations"]
    text = f"{labels['alertname']} ({labels.get('severity', 'unknown')})"
    if alert["state"] != "firing":
        return f"{text}: {annotations.get('summary', '')}"
    return f"{text}: {annotations.get('description', '')}"


def _series(labels: dict[str, str]) -> str:
    """The series that a score is about, without what all of the service's have."""
    common = ("__name__", "of", "job", "instance")
    rest = ", ".join(f'{n}="{v}"' for n, v in labels.items() if n not in common)
    return f"{labels['of']}{{{rest}}}" if rest else labels["of"]
