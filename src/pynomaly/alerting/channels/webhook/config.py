"""``webhook_configs``."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import HttpChannelConfig, at_most_one, exactly_one
from pynomaly.alerting.channels.fields import GoDuration, Secret, SecretTemplateUrl
from pynomaly.model.document import Untyped


class WebhookConfig(HttpChannelConfig):
    """A POST of Alertmanager's JSON, version 4, or of a payload of one's own."""

    kind: ClassVar[str] = "webhook"

    url: SecretTemplateUrl | None = None
    url_file: str = ""
    max_alerts: int = Field(default=0, ge=0)
    timeout: GoDuration = 0.0
    payload: Untyped = None
    hmac_secret: Secret = SecretStr("")
    hmac_secret_file: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        exactly_one(self, "url")
        at_most_one(self, "hmac_secret")
        return self
