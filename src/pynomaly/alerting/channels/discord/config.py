"""``discord_configs``."""

from typing import ClassVar, Self

from pydantic import model_validator

from pynomaly.alerting.channels.config import HttpChannelConfig, exactly_one
from pynomaly.alerting.channels.fields import SecretUrl, Text


class DiscordConfig(HttpChannelConfig):
    """A message by a webhook of a channel."""

    kind: ClassVar[str] = "discord"

    webhook_url: SecretUrl | None = None
    webhook_url_file: str = ""
    content: Text = ""
    title: Text = '{{ template "discord.default.title" . }}'
    message: Text = '{{ template "discord.default.message" . }}'
    username: Text = ""
    avatar_url: Text = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        exactly_one(self, "webhook_url")
        return self
