"""Settings of alerting."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    field_validator,
)

from pynomaly.alerting.channels.kinds import CONFIGS
from pynomaly.alerting.cluster.config import AlertmanagerBlock
from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.alerting.noise.config import FIRINGS_RETENTION
from pynomaly.alerting.suppression.rule import SuppressionRuleSettings
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
    hmac_secret: SecretStr | None = Field(
        default=None,
        description="Notifications are signed with it: [how](notifications.md#channels).",
    )


class HeartbeatSettings(Section):
    """A sign of life for a service outside that raises an alarm when it stays away."""

    url: Annotated[SecretStr, AfterValidator(http_url)] = Field(
        description="What is called while `alert` fires; kept out of logs, since it is a secret."
    )
    method: Literal["POST", "GET", "HEAD"] = Field(default="POST", description="How it is called.")
    interval: Duration = Field(
        default=60.0, ge=1, description="How often; the service should wait for several of them."
    )
    timeout: Duration = Field(default=10.0, gt=0, description="How long one call may take.")
    alert: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="Watchdog",
        description="The alert that always fires. When it does not, alerting is broken, and no "
        "heartbeat is sent.",
    )


RATE_LIMITS = {"slack": 60, "pagerduty": 120, "telegram": 20, "discord": 30}


class AlertingSettings(Section):
    """Who is told of alerts, and how often."""

    webhook: WebhookSettings | None = None
    heartbeat: HeartbeatSettings | None = None
    alertmanagers: tuple[AlertmanagerBlock, ...] = Field(
        default=(),
        description="Alertmanagers that route and deliver in our stead, each of which is told of "
        "every alert: addresses such as `http://am-1:9093`, or sections as in a "
        "`prometheus.yml`; see [how to](../how-to/alertmanager-cluster.md).",
        json_schema_extra={"described": "elsewhere"},
    )
    prometheus_alertmanagers: bool = Field(
        default=False,
        description="Send alerts to the Alertmanagers that the `prometheus.yml` names, too.",
    )
    alertmanager_queue_capacity: int = Field(
        default=10_000,
        ge=256,
        description="How many alerts may wait for each Alertmanager; then the oldest are dropped.",
    )
    suppression_rules: tuple[SuppressionRuleSettings, ...] = Field(
        default=(),
        description="Rules that allow so many alerts in a stretch of time; see "
        "[how to](../how-to/less-noise.md). More are given by the API.",
    )
    flapping: FlappingSettings = Field(
        default=FlappingSettings(), description="Alerts that begin and end again and again."
    )
    firings_retention: Duration = Field(
        default=FIRINGS_RETENTION,
        gt=0,
        description="How long it is kept how often alerts fired, who acknowledged them and how "
        "many notifications they caused: what the noise report counts.",
    )
    retention: Duration = Field(
        default=5 * 86_400.0,
        gt=0,
        description="How long it is kept what was silenced, who was told of what, and why not.",
    )
    rate_limits: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default=RATE_LIMITS,
        description="How many notifications a minute each integration of a kind of channel is "
        "sent, such as `slack: 60`; the others wait. 0, and a kind that is not named: no limit.",
    )

    @field_validator("suppression_rules")
    @classmethod
    def _names_differ(
        cls, rules: tuple[SuppressionRuleSettings, ...]
    ) -> tuple[SuppressionRuleSettings, ...]:
        names = [rule.name for rule in rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules are called {twice!r}; their counts would be one")
        return rules

    @field_validator("rate_limits")
    @classmethod
    def _of_channels(cls, limits: dict[str, int]) -> dict[str, int]:
        for kind in limits:
            if kind not in CONFIGS:
                raise ValueError(f"{kind!r} is no kind of channel; one of {', '.join(CONFIGS)}")
        return limits

    receiver: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="webhook", description="The name by which the payload calls the receiver."
    )
    group_by: tuple[str, ...] = Field(
        default=("alertname",), description="Alerts that share these labels are told together."
    )
    repeat_interval: Duration = Field(
        default=4 * 3600.0, gt=0, description="How often alerts that go on firing are told again."
    )
