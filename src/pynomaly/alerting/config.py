"""Settings of alerting."""

from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, StringConstraints, TypeAdapter

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration

_HTTP_URL = TypeAdapter(HttpUrl)


def http_url(value: SecretStr) -> SecretStr:
    """Raise ValueError unless it is an address of HTTP."""
    try:
        _HTTP_URL.validate_python(value.get_secret_value())
    except ValueError as error:
        raise ValueError("an address such as https://example.com/hook is expected") from error
    return value


class WebhookSettings(Section):
    """One receiver of Alertmanager's webhook payload, version 4."""

    url: Annotated[SecretStr, AfterValidator(http_url)] = Field(
        description="Where notifications are POSTed; kept out of logs, since it may hold a secret."
    )
    timeout: Duration = Field(default=10.0, gt=0, description="How long one attempt may take.")
    max_alerts: int = Field(
        default=0, ge=0, description="The most alerts in one notification; 0: all of them."
    )


class AlertingSettings(Section):
    """Who is told of alerts, and how often."""

    webhook: WebhookSettings | None = None
    receiver: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="webhook", description="The name by which the payload calls the receiver."
    )
    group_by: tuple[str, ...] = Field(
        default=("alertname",), description="Alerts that share these labels are told together."
    )
    repeat_interval: Duration = Field(
        default=4 * 3600.0, gt=0, description="How often alerts that go on firing are told again."
    )
