"""Microsoft Teams: an adaptive card by the webhook of a flow."""

from typing import Any

from pynomaly.alerting.channels.base import JsonChannel
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.channels.msteamsv2.config import MSTeamsV2Config
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.contract import Notification


class MSTeamsV2Channel(JsonChannel[MSTeamsV2Config]):
    """Sends one card, in the color of the state."""

    async def url(self, message: Message) -> str:
        """The webhook."""
        return await secret_of(self.config.webhook_url, self.config.webhook_url_file)

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """A message with a card."""
        title = {
            "type": "TextBlock",
            "text": message.text(self.config.title),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": True,
            "style": "heading",
            "color": "Attention" if notification.firing else "Good",
        }
        text = {"type": "TextBlock", "text": message.text(self.config.text), "wrap": True}
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.2",
            "body": [title, text],
            "msteams": {"width": "full"},
        }
        kind = "application/vnd.microsoft.card.adaptive"
        attachment = {"contentType": kind, "contentUrl": None, "content": card}
        return {"type": "message", "attachments": [attachment]}
