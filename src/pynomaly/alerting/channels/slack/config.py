"""``slack_configs``."""

from typing import Any, ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    given,
    or_default,
)
from pynomaly.alerting.channels.fields import GoDuration, Secret, SecretUrl, Text, Url
from pynomaly.model.document import Section, Untyped

_POST = "/chat.postMessage"


class SlackConfirmation(Section):
    """What is asked before an action."""

    text: Text = Field(min_length=1)
    title: Text = ""
    ok_text: Text = ""
    dismiss_text: Text = ""


class SlackAction(Section):
    """A button: a link with ``url``, or an action of Slack's own with ``name``."""

    type: Text = Field(min_length=1)
    text: Text = Field(min_length=1)
    url: Text = ""
    style: Text = ""
    name: Text = ""
    value: Text = ""
    confirm: SlackConfirmation | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.url and not self.name:
            raise ValueError("an action of Slack needs a name or a url")
        return self


class SlackField(Section):
    """A field of an attachment."""

    title: Text = Field(min_length=1)
    value: Text = Field(min_length=1)
    short: bool | None = None


class SlackConfig(HttpChannelConfig):
    """A message by an incoming webhook, or by an app's token, which may also update it."""

    kind: ClassVar[str] = "slack"

    send_resolved: bool = False
    api_url: SecretUrl | None = None
    api_url_file: str = ""
    app_token: Secret = SecretStr("")
    app_token_file: str = ""
    app_url: Url | None = None
    channel: Text = ""
    username: Text = '{{ template "slack.default.username" . }}'
    color: Text = '{{ template "slack.default.color" . }}'
    title: Text = '{{ template "slack.default.title" . }}'
    title_link: Text = '{{ template "slack.default.titlelink" . }}'
    pretext: Text = '{{ template "slack.default.pretext" . }}'
    text: Text = '{{ template "slack.default.text" . }}'
    message_text: Text = ""
    fields: list[SlackField] = Field(default_factory=list)
    short_fields: bool = False
    footer: Text = '{{ template "slack.default.footer" . }}'
    fallback: Text = '{{ template "slack.default.fallback" . }}'
    callback_id: Text = '{{ template "slack.default.callbackid" . }}'
    icon_emoji: Text = '{{ template "slack.default.iconemoji" . }}'
    icon_url: Text = '{{ template "slack.default.iconurl" . }}'
    image_url: Text = ""
    thumb_url: Text = ""
    link_names: bool = False
    mrkdwn_in: list[Text] = Field(default_factory=list)
    actions: list[SlackAction] = Field(default_factory=list)
    update_message: bool = False
    timeout: GoDuration = 0.0
    blocks: list[dict[str, Untyped]] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "api_url", "app_token")
        if (self.api_url or self.api_url_file) and self._has_token():
            raise ValueError("api_url and app_token: only one can be configured")
        url = self.api_url.get_secret_value() if self.api_url else ""
        if self.update_message and url and not url.endswith(_POST):
            raise ValueError(
                "update_message needs an app's token: set app_token instead of api_url, "
                "since incoming webhooks cannot change a message"
            )
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the addresses and the token of ``global``.

        Raises:
            ValueError: there is neither an address nor a token.
        """
        changes: dict[str, Any] = {"app_url": self.app_url or defaults.slack_app_url}
        own = self.http_config is not None and self.http_config.credentials() is not None
        if not own and self.api_url is None:
            changes |= or_default(self, "app_token", defaults, "slack_app_token")
        changes |= or_default(self, "api_url", defaults, "slack_api_url")
        found = super().inherit(defaults).model_copy(update=changes)
        if not (found.api_url or found.api_url_file or found._has_token()):
            raise ValueError(
                "no Slack address: set api_url or app_token here, or slack_api_url or "
                "slack_app_token under global"
            )
        if found._has_token() and own:
            raise ValueError("http_config.authorization and app_token: only one can be configured")
        return found

    def _has_token(self) -> bool:
        return given(self, "app_token") or bool(self.app_token_file)
