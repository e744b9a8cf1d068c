"""Random configurations, and streams of alerts and silences, for two alert managers at once.

An empty ``group_by`` below the root is left out: Alertmanager 0.25 took it for none given.

Everything is sent at whole seconds and every group is told at half seconds, so that neither
machine's haste decides what belongs to which notification.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import yaml

GROUP_WAIT = 0.5
GROUP_INTERVAL = 1.0
RESOLVE_TIMEOUT = 3.0
SECONDS = 14

JOBS = ("node", "db")
SEVERITIES = ("critical", "warning", "info")


@dataclass
class Step:
    """What is sent at a second: bodies for ``/alerts``, and silences to begin or end."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    silences: list[dict[str, Any]] = field(default_factory=list)
    expire: list[int] = field(default_factory=list)


class Scenario:
    """Made of a seed; times are seconds since its beginning."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.steps = self._steps()
        self._config_seed = seed

    def config(self, hook: str) -> str:
        """An alertmanager.yml whose webhooks are ``hook`` and the receiver's name."""
        choose = random.Random(self._config_seed)
        receivers = [
            {
                "name": name,
                "webhook_configs": [
                    {"url": f"{hook}/{name}", "send_resolved": choose.random() < 0.75},
                    *(
                        [{"url": f"{hook}/{name}-b", "send_resolved": True}]
                        if choose.random() < 0.3
                        else []
                    ),
                ],
            }
            for name in ("root", "a", "b")
        ]
        document = {
            "global": {"resolve_timeout": f"{RESOLVE_TIMEOUT:g}s"},
            "route": {
                "receiver": "root",
                "group_wait": f"{GROUP_WAIT * 1000:g}ms",
                "group_interval": f"{GROUP_INTERVAL:g}s",
                "repeat_interval": choose.choice(["1h", "1h", "2200ms", "4300ms"]),
                "group_by": _group_by(choose),
                "routes": [_route(choose, depth=2) for _ in range(choose.randint(0, 3))],
            },
            "receivers": receivers,
            "inhibit_rules": [_inhibition(choose) for _ in range(choose.randint(0, 2))],
            "time_intervals": [
                {"name": "always", "time_intervals": [{}]},
                {"name": "never", "time_intervals": [{"years": ["1999"]}]},
            ],
        }
        return yaml.safe_dump(document, sort_keys=False)

    def _steps(self) -> list[Step]:
        choose = self.random
        known: dict[int, tuple[float, float]] = {}  # when it began, until when it fires
        steps, silences = [], 0
        for second in range(SECONDS - 3):
            step = Step()
            for _ in range(choose.randint(0, 4)):
                one = choose.randrange(8)
                # One that has ended begins anew: were it old, its group would be told at once.
                start, until = known.get(one, (float(second), 0.0))
                start = start if until > second else float(second)
                if until > second and choose.random() < 0.45:
                    del known[one]
                    step.alerts.append(_alert(one, start, end=float(second)))
                    continue
                end = second + choose.choice([2.0, 5.0]) if choose.random() < 0.3 else None
                known[one] = start, min(until or 1e9, end or second + RESOLVE_TIMEOUT)
                step.alerts.append(_alert(one, start, end, choose.choice(["x", "y"])))
            if choose.random() < 0.2:
                step.silences.append(_silence(choose, second))
                silences += 1
            elif silences and choose.random() < 0.2:
                step.expire.append(choose.randrange(silences))
            steps.append(step)
        return steps


def _alert(number: int, start: float, end: float | None = None, note: str = "x") -> dict[str, Any]:
    choose = random.Random(number)  # the same labels for a number each time
    labels = {"alertname": choose.choice(["Up", "Down", "Slow"]), "i": str(number)}
    labels["severity"] = choose.choice(SEVERITIES)
    if choose.random() < 0.8:
        labels["job"] = choose.choice(JOBS)
    if choose.random() < 0.5:
        labels["instance"] = choose.choice(["1", "2", "3"])
    return {"labels": labels, "annotations": {"note": note}, "start": start, "end": end}


def _silence(choose: random.Random, second: int) -> dict[str, Any]:
    name, value = choose.choice(
        [("job", "node"), ("alertname", "Down|Slow"), ("severity", "critical"), ("i", "[0-3]")]
    )
    regex = "|" in value or "[" in value
    matcher = {"name": name, "value": value, "isRegex": regex, "isEqual": choose.random() < 0.85}
    return {"matchers": [matcher], "start": second, "end": second + choose.choice([2, 4, 60])}


def _group_by(choose: random.Random) -> list[str]:
    return choose.choice([["alertname"], ["alertname", "job"], ["..."], ["severity"], ["cluster"]])


def _route(choose: random.Random, depth: int) -> dict[str, Any]:
    route: dict[str, Any] = {
        "matchers": [
            choose.choice(
                [
                    'job="node"',
                    'job!="node"',
                    'severity=~"critical|warning"',
                    'job=""',
                    'alertname!~"Up|Slow"',
                    'instance=~".+"',
                ]
            )
        ],
        "continue": choose.random() < 0.4,
    }
    if choose.random() < 0.8:
        route["receiver"] = choose.choice(["a", "b"])
    if choose.random() < 0.5:
        route["group_by"] = _group_by(choose)
    if choose.random() < 0.15:
        route["mute_time_intervals"] = [choose.choice(["always", "never"])]
    if choose.random() < 0.15:
        route["active_time_intervals"] = [choose.choice(["always", "never"])]
    if depth and choose.random() < 0.4:
        route["routes"] = [_route(choose, depth - 1)]
    return route


def _inhibition(choose: random.Random) -> dict[str, Any]:
    source, target = choose.choice(
        [
            ('severity="critical"', 'severity=~"warning|info"'),
            ('alertname="Down"', 'alertname!="Down"'),
            ('severity=~"critical|warning"', 'severity="warning"'),
        ]
    )
    equal = choose.choice([[], ["job"], ["job", "instance"]])
    return {"source_matchers": [source], "target_matchers": [target], "equal": equal}
