"""Discord: an embed by a channel's webhook."""

from typing import Any

from pynomaly.alerting.channels.base import JsonChannel, given
from pynomaly.alerting.channels.discord.config import DiscordConfig
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.contract import Notification

# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
_MOST_OF_A_TITLE = 256
_MOST_OF_A_DESCRIPTION = 4096
_MOST_OF_A_CONTENT = 2000

_FIRING = 0xB3261E
_RESOLVED = 0x1A7F37


class DiscordChannel(JsonChannel[DiscordConfig]):
    """Sends one embed, in the color of the state."""

    async def url(self, message: Message) -> str:
        """The webhook."""
        return await secret_of(self.config.webhook_url, self.config.webhook_url_file)

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """An embed, and a text above it."""
        config, text = self.config, message.text
        embed = {
            "title": shortened(text(config.title), _MOST_OF_A_TITLE),
            "description": shortened(text(config.message), _MOST_OF_A_DESCRIPTION),
            "color": _FIRING if notification.firing else _RESOLVED,
        }
        content = shortened(text(config.content), _MOST_OF_A_CONTENT)
        sender = {"username": config.username, "avatar_url": config.avatar_url}
        return {"content": content, "embeds": [embed], **given(sender)}
