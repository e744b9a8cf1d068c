"""What channels that are reached by HTTP have in common."""

from typing import Generic, TypeVar

from pynomaly.alerting.channels.config import HttpChannelConfig, HttpConfig
from pynomaly.alerting.channels.http import HttpClient, Unreachable
from pynomaly.alerting.channels.messages import Message, Messages, fewer, shortened
from pynomaly.alerting.channels.secrets import UnreadableSecret
from pynomaly.alerting.contract import Delivery, Notification, Outcome
from pynomaly.gotemplate.errors import TemplateError

_MOST_OF_A_REASON = 300

Config = TypeVar("Config", bound=HttpChannelConfig)


def unrenderable(error: TemplateError) -> Delivery:
    """A template that fails will fail again."""
    return Delivery(
        Outcome.PERMANENT, shortened(f"the message cannot be rendered: {error}", _MOST_OF_A_REASON)
    )


class HttpChannel(Generic[Config]):
    """Renders a notification and sends it; a subclass says how in ``send``."""

    def __init__(self, config: Config, messages: Messages) -> None:
        self.name: str = config.kind
        self.config = config
        self.messages = messages
        self.client = HttpClient(config.http_config or HttpConfig())

    async def deliver(self, notification: Notification) -> Delivery:
        """Try once; where the alerts are too many for a text, say the first of them."""
        try:
            return await self.send(notification, self.messages.of(notification))
        except TemplateError as error:
            if (first := fewer(notification)) is not None:
                return await self.deliver(first)
            return unrenderable(error)
        except (Unreachable, UnreadableSecret) as error:
            return error.delivery()

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Send it.

        Raises:
            TemplateError: a text cannot be rendered.
            Unreachable: there is no answer.
            UnreadableSecret: a file cannot be read.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()
