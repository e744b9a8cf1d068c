"""Rocket.Chat: an attachment by ``chat.postMessage``."""

from typing import Any

from pynomaly.alerting.channels.base import JsonChannel, given
from pynomaly.alerting.channels.http import Answer, judge
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.rocketchat.config import RocketchatConfig
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.contract import Delivery, Notification, Outcome

_MOST_OF_A_TITLE = 1024


class RocketchatChannel(JsonChannel[RocketchatConfig]):
    """Sends one attachment, in the color of the state."""

    async def url(self, message: Message) -> str:
        """The method of the API."""
        return f"{(self.config.api_url or '').rstrip('/')}/api/v1/chat.postMessage"

    async def proofs(self, message: Message) -> dict[str, str]:
        """The token and whose it is."""
        config = self.config
        return {
            "X-Auth-Token": await secret_of(config.token, config.token_file),
            "X-User-Id": await secret_of(config.token_id, config.token_id_file),
        }

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """A message."""
        config, text = self.config, message.text
        attachment = {
            "title": shortened(text(config.title), _MOST_OF_A_TITLE),
            "title_link": text(config.title_link),
            "text": text(config.text),
            "image_url": text(config.image_url),
            "thumb_url": text(config.thumb_url),
            "color": text(config.color),
            "fields": [
                {
                    "short": config.short_fields if field.short is None else field.short,
                    "title": text(field.title),
                    "value": text(field.value),
                }
                for field in config.fields
            ],
            "actions": [
                given(
                    {
                        "type": "button",
                        "text": text(action.text),
                        "url": text(action.url),
                        "msg": text(action.msg),
                    }
                )
                for action in config.actions
            ],
        }
        return given(
            {
                "channel": text(config.channel),
                "emoji": text(config.emoji),
                "avatar": text(config.icon_url),
                "attachments": [given(attachment)],
            }
        )

    def judged(self, answer: Answer) -> Delivery:
        """Its API says what went wrong also with 200."""
        if answer.ok and answer.json().get("success") is not True:
            said = answer.secrets.hide(str(answer.json().get("error", "it does not say why")))
            return Delivery(Outcome.PERMANENT, f"Rocket.Chat did not take it: {said[:200]}")
        return judge(answer, self.messages.now())
