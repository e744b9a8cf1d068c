"""``telegram_configs``."""

from typing import Any, ClassVar, Literal, Self

from pydantic import SecretStr, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    given,
    or_default,
)
from pynomaly.alerting.channels.fields import Secret, Text, Url


class TelegramConfig(HttpChannelConfig):
    """A bot's message to a chat."""

    kind: ClassVar[str] = "telegram"

    api_url: Url | None = None
    bot_token: Secret = SecretStr("")
    bot_token_file: str = ""
    chat_id: int = 0
    chat_id_file: str = ""
    message_thread_id: int = 0
    message: Text = '{{ template "telegram.default.message" . }}'
    disable_notifications: bool = False
    parse_mode: Literal["", "Markdown", "MarkdownV2", "HTML"] = "HTML"

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "bot_token")
        if bool(self.chat_id) == bool(self.chat_id_file):
            raise ValueError("one of chat_id and chat_id_file must be configured")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address and the token of ``global``.

        Raises:
            ValueError: there is no token.
        """
        change: dict[str, Any] = {"api_url": self.api_url or defaults.telegram_api_url}
        change |= or_default(self, "bot_token", defaults, "telegram_bot_token")
        found = super().inherit(defaults).model_copy(update=change)
        if not (given(found, "bot_token") or found.bot_token_file):
            raise ValueError("no bot: set bot_token here, or telegram_bot_token under global")
        return found
