"""``incidentio_configs``."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    exactly_one,
    given,
)
from pynomaly.alerting.channels.fields import GoDuration, Secret, Url


class IncidentioConfig(HttpChannelConfig):
    """Alertmanager's JSON, sent to an alert source."""

    kind: ClassVar[str] = "incidentio"

    url: Url | None = None
    url_file: str = ""
    alert_source_token: Secret = SecretStr("")
    alert_source_token_file: str = ""
    max_alerts: int = Field(default=0, ge=0)
    timeout: GoDuration = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        exactly_one(self, "url")
        at_most_one(self, "alert_source_token")
        own = self.http_config is not None and self.http_config.credentials() is not None
        if own and self._has_token():
            raise ValueError(
                "alert_source_token and http_config.authorization: only one can be configured"
            )
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the ``http_config`` of ``global``.

        Raises:
            ValueError: there is neither a token nor an authorization.
        """
        found = super().inherit(defaults)
        client = found.http_config
        if not self._has_token() and (client is None or client.credentials() is None):
            raise ValueError("alert_source_token or http_config.authorization must be configured")
        return found

    def _has_token(self) -> bool:
        return given(self, "alert_source_token") or bool(self.alert_source_token_file)
