"""Webex: a bot's message to a room."""

from typing import Any

from pynomaly.alerting.channels.base import JsonChannel
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.channels.webex.config import WebexConfig
from pynomaly.alerting.contract import Notification

_MOST_OF_A_MESSAGE = 7439  # bytes: https://developer.webex.com/docs/api/v1/messages
_CUT = "…"


class WebexChannel(JsonChannel[WebexConfig]):
    """Sends Markdown."""

    async def url(self, message: Message) -> str:
        """The API."""
        return self.config.api_url or ""

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """A message."""
        text = message.text(self.config.message).encode()
        if len(text) > _MOST_OF_A_MESSAGE:
            text = text[: _MOST_OF_A_MESSAGE - len(_CUT.encode())] + _CUT.encode()
        markdown = text.decode(errors="ignore")
        return {"markdown": markdown, "roomId": message.text(self.config.room_id)}
