"""``rocketchat_configs``."""

from typing import Any, ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    given,
    or_default,
)
from pynomaly.alerting.channels.fields import Secret, Text, Url
from pynomaly.model.document import Section


class RocketchatField(Section):
    """A field of an attachment."""

    short: bool | None = None
    title: Text = ""
    value: Text = ""


class RocketchatAction(Section):
    """A button of an attachment."""

    type: Text = ""
    text: Text = ""
    url: Text = ""
    image_url: Text = Field(default="", alias="imageurl")
    is_webview: bool = Field(default=False, alias="iswebview")
    webview_height_ratio: Text = Field(default="", alias="webviewheightratio")
    msg: Text = ""
    msg_in_chat_window: bool = Field(default=False, alias="msginchatwindow")
    msg_processing_type: Text = Field(default="", alias="msgprocessingtype")


class RocketchatConfig(HttpChannelConfig):
    """A message by ``chat.postMessage``."""

    kind: ClassVar[str] = "rocketchat"

    send_resolved: bool = False
    api_url: Url | None = None
    token_id: Secret = SecretStr("")
    token_id_file: str = ""
    token: Secret = SecretStr("")
    token_file: str = ""
    channel: Text = ""
    color: Text = '{{ if eq .Status "firing" }}red{{ else }}green{{ end }}'
    title: Text = '{{ template "rocketchat.default.title" . }}'
    title_link: Text = '{{ template "rocketchat.default.titlelink" . }}'
    text: Text = '{{ template "rocketchat.default.text" . }}'
    fields: list[RocketchatField] = Field(default_factory=list)
    short_fields: bool = False
    emoji: Text = '{{ template "rocketchat.default.emoji" . }}'
    icon_url: Text = '{{ template "rocketchat.default.iconurl" . }}'
    image_url: Text = ""
    thumb_url: Text = ""
    link_names: bool = False
    actions: list[RocketchatAction] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "token", "token_id")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address and the token of ``global``.

        Raises:
            ValueError: the token or its id is missing.
        """
        change: dict[str, Any] = {"api_url": self.api_url or defaults.rocketchat_api_url}
        for name in ("token", "token_id"):
            change |= or_default(self, name, defaults, f"rocketchat_{name}")
        found = super().inherit(defaults).model_copy(update=change)
        for name in ("token", "token_id"):
            if not (given(found, name) or given(found, f"{name}_file")):
                raise ValueError(f"no {name}: set it here, or rocketchat_{name} under global")
        return found
