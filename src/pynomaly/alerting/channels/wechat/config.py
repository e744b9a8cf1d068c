"""``wechat_configs``."""

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


class WechatConfig(HttpChannelConfig):
    """An app's message to people of a company."""

    kind: ClassVar[str] = "wechat"

    send_resolved: bool = False
    api_secret: Secret = SecretStr("")
    api_secret_file: str = ""
    corp_id: Text = ""
    message: Text = '{{ template "wechat.default.message" . }}'
    api_url: Url | None = None
    to_user: Text = '{{ template "wechat.default.to_user" . }}'
    to_party: Text = '{{ template "wechat.default.to_party" . }}'
    to_tag: Text = '{{ template "wechat.default.to_tag" . }}'
    agent_id: Text = '{{ template "wechat.default.agent_id" . }}'
    message_type: Literal["text", "markdown"] = "text"

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "api_secret")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address, the company and the secret of ``global``.

        Raises:
            ValueError: the company or the secret is missing.
        """
        change: dict[str, Any] = {
            "api_url": self.api_url or defaults.wechat_api_url,
            "corp_id": self.corp_id or defaults.wechat_api_corp_id,
            **or_default(self, "api_secret", defaults, "wechat_api_secret"),
        }
        found = super().inherit(defaults).model_copy(update=change)
        if not (given(found, "api_secret") or found.api_secret_file):
            raise ValueError("no secret: set api_secret here, or wechat_api_secret under global")
        if not found.corp_id:
            raise ValueError("no company: set corp_id here, or wechat_api_corp_id under global")
        return found
