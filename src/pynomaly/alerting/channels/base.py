"""What channels that are reached by HTTP have in common."""

import hashlib
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import orjson

from pynomaly.alerting.channels.config import HttpChannelConfig, HttpConfig
from pynomaly.alerting.channels.http import Answer, HttpClient, Unreachable, judge
from pynomaly.alerting.channels.messages import Message, Messages, fewer, shortened
from pynomaly.alerting.channels.secrets import Secrets, UnreadableSecret
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


class JsonChannel(HttpChannel[Config]):
    """A channel whose notification is one JSON object, sent to one address.

    A subclass says which in ``url`` and ``content``, and may look into the answer in ``judged``.
    """

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Render, send, judge."""
        content = await message.made(lambda: self.content(message, notification))
        answer = await self.client.post(
            await self.url(message),
            orjson.dumps(content),
            timeout=self.timeout(),
            proofs=await self.proofs(message),
            secrets=await self.secrets(),
        )
        return self.judged(answer)

    async def url(self, message: Message) -> str:
        """Where to; a secret or not. May raise what ``send`` may."""
        raise NotImplementedError

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """What to send; may run in a worker thread. Raises TemplateError."""
        raise NotImplementedError

    async def proofs(self, message: Message) -> dict[str, str]:
        """Headers with credentials, besides those of ``http_config``."""
        return {}

    async def secrets(self) -> Secrets:
        """What nobody may read, besides the parts of the address and the proofs."""
        return Secrets()

    def timeout(self) -> float:
        """Seconds; 0 for the usual."""
        return 0.0

    def judged(self, answer: Answer) -> Delivery:
        """What the answer means."""
        return judge(answer, self.messages.now())


def group_hash(notification: Notification) -> str:
    """The group's key, as Alertmanager shortens it for keys of incidents."""
    return hashlib.sha256(notification.group_key.encode()).hexdigest()


def given(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {name: value for name, value in content.items() if value}
