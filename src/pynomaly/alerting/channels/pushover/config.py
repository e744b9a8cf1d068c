"""``pushover_configs``."""

from typing import ClassVar, Self

from pydantic import SecretStr, model_validator

from pynomaly.alerting.channels.config import HttpChannelConfig, exactly_one
from pynomaly.alerting.channels.fields import GoDuration, Secret, Text


class PushoverConfig(HttpChannelConfig):
    """A message to a person's devices."""

    kind: ClassVar[str] = "pushover"

    user_key: Secret = SecretStr("")
    user_key_file: str = ""
    token: Secret = SecretStr("")
    token_file: str = ""
    title: Text = '{{ template "pushover.default.title" . }}'
    message: Text = '{{ template "pushover.default.message" . }}'
    url: Text = '{{ template "pushover.default.url" . }}'
    url_title: Text = ""
    device: Text = ""
    sound: Text = ""
    priority: Text = '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'
    retry: GoDuration = 60.0
    expire: GoDuration = 3600.0
    ttl: GoDuration = 0.0
    html: bool = False
    monospace: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        exactly_one(self, "user_key", "token")
        if self.html and self.monospace:
            raise ValueError("at most one of html and monospace can be configured")
        return self
