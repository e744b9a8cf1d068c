"""Delivery as the server runs it: the receivers in force, dead letters, and tests of receivers."""

from collections.abc import Mapping, Sequence

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.templates import load_templates
from pynomaly.alerting.channels.messages import Messages
from pynomaly.alerting.delivery.dead_letters import DeadLetters
from pynomaly.alerting.delivery.errors import NoSuchReceiver
from pynomaly.alerting.delivery.receivers import Receivers
from pynomaly.alerting.delivery.trial import Trial, try_out
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.model.clock import Clock


class DeliveryService:
    """Builds the receivers of a configuration, and answers for those in force.

    ``external_url``: where people reach the pages. ``rate_limits``: notifications a minute by kind
    of channel.
    """

    def __init__(
        self,
        letters: DeadLetters,
        log: NotificationLog,
        clock: Clock,
        *,
        external_url: str,
        rate_limits: Mapping[str, int],
    ) -> None:
        self.letters = letters
        self._log = log
        self._clock = clock
        self._external_url = external_url
        self._rate_limits = rate_limits
        self._receivers: Receivers | None = None

    def build(self, config: AlertmanagerConfig) -> Receivers:
        """The receivers of a configuration, which are in force from now on.

        Those of before go on until whoever uses them closes them.

        Raises:
            ConfigError: a file of templates cannot be used.
            UnusableChannel: a channel cannot be made of its section here.
        """
        messages = Messages(load_templates(config), self._external_url, self._clock)
        self._receivers = Receivers(
            config, messages, self._clock, self.letters, rate_limits=self._rate_limits
        )
        return self._receivers

    @property
    def receivers(self) -> Receivers:
        """Those in force.

        Raises:
            NoSuchReceiver: nothing is configured yet.
        """
        if self._receivers is None:
            raise NoSuchReceiver("No receiver is configured yet.")
        return self._receivers

    async def resend(self, identity: str) -> Trial:
        """Try a dead letter once more, and say how that went.

        Raises:
            NoSuchDeadLetter: there is none of this id.
            NoSuchReceiver: the configuration in force has not the way to tell it.
        """
        letter = self.letters.get(identity)
        told = await self.receivers.resend(letter, self._log)
        return Trial.of(letter.place.receiver, letter.place.integration, told)

    async def test(self, channel: str) -> Sequence[Trial]:
        """Send a test notification to ``RECEIVER``, ``RECEIVER/KIND[N]`` or every ``KIND``.

        Raises:
            NoSuchReceiver: none is called so.
        """
        return await try_out(self.receivers, channel, self._clock.now())
