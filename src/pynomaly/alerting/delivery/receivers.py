"""The ways to tell the receivers of one configuration."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.channels.build import build
from pynomaly.alerting.channels.messages import Messages
from pynomaly.alerting.contract import Acknowledging, Channel, Notification, Stopped
from pynomaly.alerting.delivery.dead_letters import DeadLetters, OrKeep
from pynomaly.alerting.delivery.deliver import Deliver
from pynomaly.alerting.delivery.errors import NoSuchReceiver
from pynomaly.alerting.delivery.letter import DeadLetter
from pynomaly.alerting.delivery.pace import Pace
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.remember import Remember
from pynomaly.alerting.pipeline.stages import Way
from pynomaly.model.clock import Clock


class Receivers:
    """Every integration, built; ``ways`` is what the pipeline tells by.

    ``letters`` keeps what cannot be delivered; without it, that is not kept. ``rate_limits``:
    notifications a minute, by kind of channel; of each integration.
    """

    def __init__(
        self,
        config: AlertmanagerConfig,
        messages: Messages,
        clock: Clock,
        letters: DeadLetters | None = None,
        *,
        rate_limits: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._clock = clock
        self._letters = letters
        self._channels: list[Channel] = []
        self._deliver: dict[tuple[str, str], Deliver] = {}
        self.ways: dict[str, list[Way]] = {}
        for receiver in config.receivers:
            ways = self.ways[receiver.name] = []
            for integration in receiver.integrations():
                kind, settings = integration.kind, integration.config
                channel = build(settings, messages)
                self._channels.append(channel)
                deliver = Deliver(channel, clock, Pace(kind, rate_limits.get(kind, 0), clock))
                name = f"{kind}[{integration.index}]"
                self._deliver[receiver.name, name] = deliver
                ways.append(
                    Way(
                        name,
                        settings.send_resolved,
                        [OrKeep(deliver, letters) if letters else deliver],
                        channel.acknowledge if isinstance(channel, Acknowledging) else None,
                    )
                )

    def matching(self, channel: str) -> list[tuple[str, str]]:
        """The receiver and integration of each way that ``channel`` means.

        It is a receiver's name, ``RECEIVER/KIND[N]``, or a kind such as ``slack``.

        Raises:
            NoSuchReceiver: it means none.
        """
        found = [
            (receiver, way)
            for receiver, way in self._deliver
            if channel in (receiver, f"{receiver}/{way}", way.partition("[")[0])
        ]
        if not found:
            raise NoSuchReceiver(
                f"No receiver or kind of channel is called {channel!r}.",
                hint=f"There is {_listed(self._deliver)}.",
            )
        return found

    async def close(self) -> None:
        """Give up what the channels hold open."""
        for channel in self._channels:
            await channel.close()

    async def once(self, notification: Notification) -> Notification | Stopped:
        """Try once to tell the notification's receiver by its integration.

        Raises:
            NoSuchReceiver: this configuration has no such receiver, or no such integration.
        """
        key = (notification.receiver, notification.integration)
        deliver = self._deliver.get(key)
        if deliver is None:
            raise NoSuchReceiver(
                f"The configuration has no {key[1]} of a receiver {key[0]!r}.",
                hint=f"It has {_listed(self._deliver)}.",
            )
        return await deliver(replace(notification, deadline=self._clock.now()))

    async def resend(self, letter: DeadLetter, log: NotificationLog) -> Notification | Stopped:
        """Try a dead letter once more; delivered, it is remembered as told and leaves the list.

        Raises:
            NoSuchDeadLetter: its receiver was told meanwhile, or somebody dropped it.
            NoSuchReceiver: as ``once``.
        """
        place = letter.place
        letters = self._letters
        assert letters is not None, "who resends has letters"
        async with log.turn(place):
            letter = letters.get(letter.id)
            told = await self.once(replace(letter.notification, at=self._clock.now()))
            if isinstance(told, Stopped):
                await letters.put(letter.notification, told)
            else:
                await Remember(log)(told)
                await letters.told(place)
            return told


def _listed(known: Mapping[tuple[str, str], object]) -> str:
    return ", ".join(f"{receiver}/{way}" for receiver, way in known) or "no receiver at all"
