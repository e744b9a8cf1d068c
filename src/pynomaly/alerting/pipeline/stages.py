"""The list of stages: what alerting does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pynomaly.alerting.alertmanager.intervals import Intervals
from pynomaly.alerting.contract import Delivery, Notification, Stage, Stopped
from pynomaly.alerting.inhibition.inhibitor import Inhibitor
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.alerting.noise.control import NoiseControl
from pynomaly.alerting.notifications.entry import Place, State
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.deduplicate import Deduplicate
from pynomaly.alerting.pipeline.flapping import Flapping
from pynomaly.alerting.pipeline.holding import Told
from pynomaly.alerting.pipeline.inhibit import Inhibit
from pynomaly.alerting.pipeline.maintenance import Maintenance
from pynomaly.alerting.pipeline.remember import Remember
from pynomaly.alerting.pipeline.running import run
from pynomaly.alerting.pipeline.silence import Silence
from pynomaly.alerting.pipeline.suppress import Suppress
from pynomaly.alerting.pipeline.tell import Tell
from pynomaly.alerting.pipeline.time_intervals import TimeActive, TimeMute
from pynomaly.alerting.silences.silencer import Silencer
from pynomaly.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tell a receiver: an integration by its name (``webhook[0]``).

    ``delivery``: the stages that send it, the last of which is there when it is delivered.
    ``acknowledge``: says there that somebody works on it; None where that cannot be said.
    """

    name: str
    send_resolved: bool
    delivery: Sequence[Stage]
    acknowledge: Callable[[Notification], Awaitable[Delivery]] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stages work with."""

    inhibitor: Inhibitor
    intervals: Intervals
    silencer: Silencer
    maintenance: MaintenanceWindows
    log: NotificationLog
    noise: NoiseControl
    clock: Clock


def pipeline(parts: Parts, receivers: Mapping[str, Sequence[Way]]) -> list[Stage]:
    """Everything that happens to a group of alerts, in order."""
    told = told_as_firing(parts.log, receivers)
    noise = parts.noise
    return [
        Inhibit(parts.inhibitor, parts.clock),
        TimeActive(parts.intervals),
        TimeMute(parts.intervals),
        Silence(parts.silencer),
        Maintenance(parts.maintenance, parts.clock),
        Flapping(noise.flapping, told, parts.clock),
        Suppress(noise.suppression, told),
        # Here correlation will gather the alerts of one cause.
        FanOut({name: _ways(parts, ways) for name, ways in receivers.items()}, parts.log),
    ]


def told_as_firing(log: NotificationLog, receivers: Mapping[str, Sequence[Way]]) -> Told:
    """Says which alerts of a group some way of a receiver was told of, but not of their end."""

    def told(receiver: str, group_key: str) -> frozenset[str]:
        places = (Place(receiver, way.name, group_key) for way in receivers.get(receiver, ()))
        entries = (log.get(place) for place in places)
        return frozenset().union(*(entry.state.firing for entry in entries if entry is not None))

    return told


def _ways(parts: Parts, ways: Sequence[Way]) -> dict[str, list[Stage]]:
    log, noise = parts.log, parts.noise
    no_repeat = noise.acknowledgements.why_no_repeat
    return {
        way.name: [
            Deduplicate(log, send_resolved=way.send_resolved, no_repeat=no_repeat),
            Tell(log, way.delivery, send_resolved=way.send_resolved),
            Remember(log, noise.firings.told),
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
