"""VictorOps: an incident for each group of alerts."""

from typing import Any
from urllib.parse import quote

from pynomaly.alerting.channels.base import JsonChannel, group_hash
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.channels.victorops.config import VictorOpsConfig
from pynomaly.alerting.contract import Notification

_MOST_OF_A_MESSAGE = 20_480  # characters: https://help.victorops.com
_TYPES = frozenset({"INFO", "WARNING", "CRITICAL"})


class VictorOpsChannel(JsonChannel[VictorOpsConfig]):
    """Opens an incident while a group fires, and closes it; its key is the group's."""

    async def url(self, message: Message) -> str:
        """The integration; the key is part of it."""
        config = self.config
        key = await secret_of(config.api_key, config.api_key_file)
        route = quote(message.text(config.routing_key), safe="")
        return f"{(config.api_url or '').rstrip('/')}/{key}/{route}"

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """An event."""
        config, text = self.config, message.text
        kind = text(config.message_type)
        kind = kind if kind in _TYPES else "CRITICAL"
        return {
            "message_type": kind if notification.firing else "RECOVERY",
            "entity_id": group_hash(notification),
            "entity_display_name": text(config.entity_display_name),
            "state_message": shortened(text(config.state_message), _MOST_OF_A_MESSAGE),
            "monitoring_tool": text(config.monitoring_tool),
            **{name: text(value) for name, value in config.custom_fields.items()},
        }
