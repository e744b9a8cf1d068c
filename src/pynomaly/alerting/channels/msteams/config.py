"""``msteams_configs``."""

from typing import ClassVar, Self

from pydantic import model_validator

from pynomaly.alerting.channels.config import HttpChannelConfig, exactly_one
from pynomaly.alerting.channels.fields import SecretUrl, Text


class MSTeamsConfig(HttpChannelConfig):
    """A message card by a connector's webhook."""

    kind: ClassVar[str] = "msteams"

    webhook_url: SecretUrl | None = None
    webhook_url_file: str = ""
    title: Text = '{{ template "msteams.default.title" . }}'
    summary: Text = '{{ template "msteams.default.summary" . }}'
    text: Text = '{{ template "msteams.default.text" . }}'

    @model_validator(mode="after")
    def _check(self) -> Self:
        exactly_one(self, "webhook_url")
        return self
