"""Telegram: a bot's message to a chat."""

from typing import Any

from pynomaly.alerting.channels.base import JsonChannel, given
from pynomaly.alerting.channels.http import Answer, Unreachable, judge
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.secrets import Secrets, secret_of
from pynomaly.alerting.channels.telegram.config import TelegramConfig
from pynomaly.alerting.contract import Delivery, Notification

_MOST_OF_A_MESSAGE = 4096  # characters: https://core.telegram.org/bots/api#sendmessage
_TITLE = '{{ template "telegram.default.title" . }}'


class TelegramChannel(JsonChannel[TelegramConfig]):
    """Sends a message. HTML that is too long would be cut within a tag: then the title stands."""

    async def url(self, message: Message) -> str:
        """The method of the API; the bot's token is part of it."""
        return f"{(self.config.api_url or '').rstrip('/')}/bot{await self._token()}/sendMessage"

    async def secrets(self) -> Secrets:
        """The token, which is only a piece of a part of the address."""
        return Secrets().text(await self._token())

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Send it to the chat, the number of which may stand in a file."""
        text = await secret_of(None, self.config.chat_id_file)
        try:
            self._chat = int(text) if self.config.chat_id_file else self.config.chat_id
        except ValueError:
            reason = f"{self.config.chat_id_file} holds no number of a chat"
            raise Unreachable(reason, permanent=True) from None
        return await super().send(notification, message)

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """A message."""
        config = self.config
        html = config.parse_mode == "HTML"
        text = message.html(config.message) if html else message.text(config.message)
        if len(text) > _MOST_OF_A_MESSAGE:
            text = message.html(_TITLE) if html else shortened(text, _MOST_OF_A_MESSAGE)
        return {
            "chat_id": self._chat,
            "text": text,
            "disable_web_page_preview": True,
            **given(
                {
                    "parse_mode": config.parse_mode,
                    "message_thread_id": config.message_thread_id,
                    "disable_notification": config.disable_notifications,
                }
            ),
        }

    def judged(self, answer: Answer) -> Delivery:
        """Its API says what went wrong, and in how many seconds it takes more."""
        found = answer.json()
        detail = str(found.get("description", "")) or None
        delivery = judge(answer, self.messages.now(), detail=detail)
        parameters = found.get("parameters")
        wait = parameters.get("retry_after", 0) if isinstance(parameters, dict) else 0
        if not isinstance(wait, int) or not wait:
            return delivery
        return Delivery(delivery.outcome, delivery.reason, retry_after=float(wait))

    async def _token(self) -> str:
        return await secret_of(self.config.bot_token, self.config.bot_token_file)
