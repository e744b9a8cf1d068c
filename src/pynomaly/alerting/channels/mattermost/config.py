"""``mattermost_configs``."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    or_default,
)
from pynomaly.alerting.channels.fields import SecretUrl, Text
from pynomaly.model.document import Section


class MattermostField(Section):
    """A field of an attachment."""

    title: Text = Field(min_length=1)
    value: Text = Field(min_length=1)
    short: bool | None = None


class MattermostAttachment(Section):
    """A block of a message, in Slack's older form."""

    fallback: Text = ""
    color: Text = ""
    pretext: Text = ""
    text: Text = ""
    author_name: Text = ""
    author_link: Text = ""
    author_icon: Text = ""
    title: Text = ""
    title_link: Text = ""
    fields: list[MattermostField] = Field(default_factory=list)
    thumb_url: Text = ""
    footer: Text = ""
    footer_icon: Text = ""
    image_url: Text = ""


class MattermostProps(Section):
    """Further properties of a message."""

    card: Text = ""


class MattermostPriority(Section):
    """How urgent a message is."""

    priority: Text = ""
    requested_ack: bool = False
    persistent_notifications: bool = False


class MattermostConfig(HttpChannelConfig):
    """A message by an incoming webhook."""

    kind: ClassVar[str] = "mattermost"

    webhook_url: SecretUrl | None = None
    webhook_url_file: str = ""
    channel: Text = ""
    username: Text = '{{ template "mattermost.default.username" . }}'
    text: Text = '{{ template "mattermost.default.text" . }}'
    fallback: Text = '{{ template "mattermost.default.fallback" . }}'
    color: Text = '{{ template "mattermost.default.color" . }}'
    pretext: Text = ""
    author_name: Text = ""
    author_link: Text = ""
    author_icon: Text = ""
    title: Text = '{{ template "mattermost.default.title" . }}'
    title_link: Text = '{{ template "mattermost.default.titlelink" . }}'
    fields: list[MattermostField] = Field(default_factory=list)
    thumb_url: Text = ""
    footer: Text = ""
    footer_icon: Text = ""
    image_url: Text = ""
    icon_url: Text = ""
    icon_emoji: Text = ""
    attachments: list[MattermostAttachment] = Field(default_factory=list)
    type: Text = ""
    props: MattermostProps | None = None
    priority: MattermostPriority | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "webhook_url")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address of ``global``.

        Raises:
            ValueError: there is no address.
        """
        change = or_default(self, "webhook_url", defaults, "mattermost_webhook_url")
        found = super().inherit(defaults).model_copy(update=change)
        if not (found.webhook_url or found.webhook_url_file):
            raise ValueError(
                "no Mattermost: set webhook_url here, or mattermost_webhook_url under global"
            )
        return found
