"""Mattermost: attachments by an incoming webhook."""

from typing import Any

from pynomaly.alerting.channels.base import JsonChannel, given
from pynomaly.alerting.channels.mattermost.config import (
    MattermostAttachment,
    MattermostConfig,
    MattermostField,
)
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.contract import Notification

_MOST_OF_A_TEXT = 16_383  # characters of a post: https://docs.mattermost.com
_TEXTS = tuple(name for name in MattermostAttachment.model_fields if name != "fields")
_PRIORITIES = ("urgent", "important", "standard")


class MattermostChannel(JsonChannel[MattermostConfig]):
    """Sends the attachments that are configured, or one of the channel's own texts."""

    async def url(self, message: Message) -> str:
        """The webhook."""
        return await secret_of(self.config.webhook_url, self.config.webhook_url_file)

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """A post."""
        config, text = self.config, message.text
        post: dict[str, Any] = {
            "channel": text(config.channel),
            "username": text(config.username),
            "icon_url": text(config.icon_url),
            "icon_emoji": text(config.icon_emoji),
            "type": text(config.type),
            "priority": self._priority(message),
            "attachments": [_attachment(one, message) for one in config.attachments]
            or [_attachment(config, message)],
        }
        if config.attachments:
            post["text"] = shortened(text(config.text), _MOST_OF_A_TEXT)
        if config.props is not None and config.props.card:
            post["props"] = {"card": text(config.props.card)}
        return given(post)

    def _priority(self, message: Message) -> dict[str, Any]:
        wanted = self.config.priority
        if wanted is None or not wanted.priority:
            return {}
        priority = message.text(wanted.priority).lower()
        priority = priority if priority in _PRIORITIES else "standard"
        return {
            "priority": priority,
            "requested_ack": wanted.requested_ack and priority != "standard",
            "persistent_notifications": wanted.persistent_notifications and priority == "urgent",
        }


def _attachment(of: MattermostAttachment | MattermostConfig, message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: message.text(getattr(of, name)) for name in _TEXTS if hasattr(of, name)
    }
    found["fields"] = [_field(field, message) for field in of.fields]
    found["text"] = shortened(found["text"], _MOST_OF_A_TEXT)
    return given(found)


def _field(field: MattermostField, message: Message) -> dict[str, Any]:
    found = {"title": message.text(field.title), "value": message.text(field.value)}
    return found if field.short is None else {**found, "short": field.short}
