"""The list of stages: what alerting does."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pynomaly.alerting.alertmanager.intervals import Intervals
from pynomaly.alerting.contract import Notification, Stage, Stopped
from pynomaly.alerting.inhibition.inhibitor import Inhibitor
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.alerting.notifications.entry import Place, State
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.deduplicate import Deduplicate
from pynomaly.alerting.pipeline.inhibit import Inhibit
from pynomaly.alerting.pipeline.maintenance import Maintenance
from pynomaly.alerting.pipeline.remember import Remember
from pynomaly.alerting.pipeline.running import run
from pynomaly.alerting.pipeline.silence import Silence
from pynomaly.alerting.pipeline.tell import Tell
from pynomaly.alerting.pipeline.time_intervals import TimeActive, TimeMute
from pynomaly.alerting.silences.silencer import Silencer
from pynomaly.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tell a receiver: an integration by its name (``webhook[0]``).

    ``delivery``: the stages that send it, the last of which is there when it is delivered.
    """

    name: str
    send_resolved: bool
    delivery: Sequence[Stage]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stages work with."""

    inhibitor: Inhibitor
    intervals: Intervals
    silencer: Silencer
    maintenance: MaintenanceWindows
    log: NotificationLog
    clock: Clock


def pipeline(parts: Parts, receivers: Mapping[str, Sequence[Way]]) -> list[Stage]:
    """Everything that happens to a group of alerts, in order."""
    return [
        Inhibit(parts.inhibitor, parts.clock),
        TimeActive(parts.intervals),
        TimeMute(parts.intervals),
        Silence(parts.silencer),
        Maintenance(parts.maintenance, parts.clock),
        # Here correlation will gather the alerts of one cause.
        FanOut({name: _ways(parts.log, ways) for name, ways in receivers.items()}, parts.log),
    ]


def _ways(log: NotificationLog, ways: Sequence[Way]) -> dict[str, list[Stage]]:
    return {
        way.name: [
            Deduplicate(log, send_resolved=way.send_resolved),
            Tell(log, way.delivery, send_resolved=way.send_resolved),
            Remember(log),
        ]
        for way in ways
    }


class FanOut:
    """The ways of the notification's receiver, all at once, each for itself."""

    def __init__(
        self, receivers: Mapping[str, Mapping[str, Sequence[Stage]]], log: NotificationLog
    ) -> None:
        self._receivers = receivers
        self._log = log

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on when every way has told what it had to tell."""
        notification = replace(notification, state=State.of(notification.alerts))
        ways = self._receivers.get(notification.receiver, {})
        results = await asyncio.gather(
            *(
                self._go(stages, replace(notification, integration=name))
                for name, stages in ways.items()
            )
        )
        failed = [result for result in results if isinstance(result, Stopped) and result.failed]
        if failed:
            return Stopped("; ".join(stopped.reason for stopped in failed), failed=True)
        return notification

    async def _go(
        self, stages: Sequence[Stage], notification: Notification
    ) -> Notification | Stopped:
        place = Place(notification.receiver, notification.integration, notification.group_key)
        async with self._log.turn(place):
            return await run(stages, notification)
