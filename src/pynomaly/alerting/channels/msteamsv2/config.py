"""``msteamsv2_configs``."""

from typing import ClassVar, Self

from pydantic import model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    exactly_one,
)
from pynomaly.alerting.channels.fields import SecretUrl, Text


class MSTeamsV2Config(HttpChannelConfig):
    """An adaptive card by the webhook of a flow."""

    kind: ClassVar[str] = "msteamsv2"

    webhook_url: SecretUrl | None = None
    webhook_url_file: str = ""
    title: Text = '{{ template "msteamsv2.default.title" . }}'
    text: Text = '{{ template "msteamsv2.default.text" . }}'

    @model_validator(mode="after")
    def _check(self) -> Self:
        exactly_one(self, "webhook_url")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the ``http_config`` of ``global``, or only its proxy when it has one of its own."""
        own, proxy = self.http_config, defaults.http_config.proxy_url
        if own is None or own.proxy_url or not proxy:
            return super().inherit(defaults)
        proxied = own.model_copy(update={"proxy_url": proxy})
        return self.model_copy(update={"http_config": proxied})
