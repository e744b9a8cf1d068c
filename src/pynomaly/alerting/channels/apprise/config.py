"""``apprise_configs``: ours, beside Alertmanager's own."""

from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import ChannelConfig, ChannelDefaults, at_most_one
from pynomaly.alerting.channels.fields import GoDuration, Secret, Text


class AppriseConfig(ChannelConfig):
    """A message to one address in Apprise's form, such as ``ntfys://ntfy.example.com/ops``."""

    kind: ClassVar[str] = "apprise"

    url: Secret = SecretStr("")
    url_file: str = ""
    title: Text = '{{ template "apprise.default.title" . }}'
    body: Text = '{{ template "apprise.default.body" . }}'
    format: Literal["text", "markdown", "html"] = "text"
    timeout: GoDuration = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "url")
        if not self.url.get_secret_value() and not self.url_file:
            raise ValueError("one of url and url_file must be configured")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """As it is: ``global`` says nothing of Apprise."""
        return self
