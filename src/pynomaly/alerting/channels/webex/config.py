"""``webex_configs``."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from pynomaly.alerting.channels.config import ChannelDefaults, HttpChannelConfig
from pynomaly.alerting.channels.fields import Text, Url


class WebexConfig(HttpChannelConfig):
    """A bot's message to a room."""

    kind: ClassVar[str] = "webex"

    api_url: Url | None = None
    message: Text = '{{ template "webex.default.message" . }}'
    room_id: Text = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.http_config is None or self.http_config.credentials() is None:
            raise ValueError("http_config.authorization is needed: the bot's token")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address of ``global``."""
        url = self.api_url or defaults.webex_api_url
        return super().inherit(defaults).model_copy(update={"api_url": url})
