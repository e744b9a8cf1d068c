"""Microsoft Teams: a message card by a connector's webhook."""

from http import HTTPStatus
from typing import Any

from pynomaly.alerting.channels.base import JsonChannel
from pynomaly.alerting.channels.http import Answer, judge
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.channels.msteams.config import MSTeamsConfig
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.contract import Delivery, Notification, Outcome

_FIRING = "B3261E"
_RESOLVED = "1A7F37"


class MSTeamsChannel(JsonChannel[MSTeamsConfig]):
    """Sends one card, in the color of the state."""

    async def url(self, message: Message) -> str:
        """The webhook."""
        return await secret_of(self.config.webhook_url, self.config.webhook_url_file)

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """A card."""
        return {
            "@context": "http://schema.org/extensions",
            "@type": "MessageCard",
            "type": "MessageCard",
            "title": message.text(self.config.title),
            "summary": message.text(self.config.summary),
            "text": message.text(self.config.text),
            "themeColor": _FIRING if notification.firing else _RESOLVED,
        }

    def judged(self, answer: Answer) -> Delivery:
        """A connector says 200 also where Teams refused, and Teams's status in its text."""
        limited = f"HTTP error {HTTPStatus.TOO_MANY_REQUESTS.value}"
        if answer.ok and limited in answer.text:
            return Delivery(Outcome.RETRYABLE, "Teams takes no more messages for now")
        return judge(answer, self.messages.now())
