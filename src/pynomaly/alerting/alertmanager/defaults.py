"""Routing by severity for those who have not written an ``alertmanager.yml``.

| severity | who is told |
| --- | --- |
| ``critical`` (P0) | PagerDuty, Slack, SMS |
| ``high`` (P1) | PagerDuty, Slack, mail |
| ``warning`` (P2) | Slack, mail |
| ``info`` (P3) | mail |

A level none of whose channels is set up uses the first other that is, so that nothing urgent goes
unheard; but PagerDuty is never used for ``info``: it wakes people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from pynomaly.alerting.alertmanager.checks import faults
from pynomaly.alerting.alertmanager.completion import complete
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.channels.fields import HostPort
from pynomaly.alerting.config import AlertingSettings, WebhookSettings, http_url
from pynomaly.model.document import ConfigError, Section

NOBODY = "nobody"
"""The receiver of alerts that nobody is told of."""

ELSEWHERE = "alertmanagers"
"""The receiver of alerts that Alertmanagers elsewhere are told of."""


class ChannelSettings(Section):
    """Channels for notifications of alerts, where no ``alertmanager.yml`` says more."""

    slack_webhook_url: Annotated[SecretStr, AfterValidator(http_url)] | None = Field(
        default=None,
        description="An incoming webhook of Slack to tell of alerts, by severity; see "
        "[routing](alertmanager.md).",
    )
    pagerduty_api_key: SecretStr | None = Field(
        default=None,
        description="The integration key (Events API v2) of a PagerDuty service to tell of urgent "
        "alerts.",
    )
    sms_url: SecretStr | None = Field(
        default=None,
        description="Where critical alerts go as SMS, as an address of "
        "[Apprise](https://github.com/caronc/apprise/wiki), such as `twilio://…`.",
    )
    smtp_smarthost: HostPort = Field(
        default="", description="A mail server to tell of alerts by, as `host:port`."
    )
    smtp_from: str = Field(default="", description="The sender of these mails.")
    smtp_to: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(
        default=(), description="To whom these mails go."
    )
    smtp_auth_username: str = Field(
        default="", description="The name to log in at the mail server by; none: without."
    )
    smtp_auth_password: SecretStr | None = Field(
        default=None, description="The password to log in at the mail server by."
    )
    smtp_require_tls: bool = Field(
        default=True, description="Send mails only where the server offers STARTTLS."
    )

    def tells_somebody(self) -> bool:
        """Whether a channel is set up."""
        return bool(_channels(self))

    @model_validator(mode="after")
    def _all_of_mail(self) -> "ChannelSettings":
        names = ("smtp_smarthost", "smtp_from", "smtp_to")
        missing = [name for name in names if not getattr(self, name)]
        if 0 < len(missing) < len(names):
            raise ValueError(f"mails need {' and '.join(missing)} as well")
        return self


@dataclass(frozen=True, slots=True)
class _Level:
    severity: str
    """Values of the label ``severity``, as a regular expression."""
    channels: Sequence[str]
    others: Sequence[str]
    """What is used, the first of them, where none of ``channels`` is set up."""
    pagerduty: str
    """What PagerDuty calls it."""
    timers: Mapping[str, str]


_LEVELS = {
    "critical": _Level(
        "critical|P0",
        ("pagerduty", "slack", "sms"),
        ("email",),
        "critical",
        {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "15m"},
    ),
    "high": _Level(
        "high|P1",
        ("pagerduty", "slack", "email"),
        ("sms",),
        "error",
        {"group_wait": "10s", "repeat_interval": "1h"},
    ),
    "warning": _Level("warning|medium|P2", ("slack", "email"), ("pagerduty",), "warning", {}),
    "info": _Level("info|low|P3", ("email",), ("slack",), "info", {"repeat_interval": "1d"}),
}
_UNLABELLED = "warning"
"""The level of an alert whose ``severity`` is none of these, or that has none."""


def default_config(channels: ChannelSettings, alerting: AlertingSettings) -> AlertmanagerConfig:
    """The configuration that these settings alone make.

    ``alerting.webhook`` is told of everything, besides. An alert with ``severity: none``, such as
    a watchdog that always fires, is not told on.

    Raises:
        ConfigError: settings of which no configuration can be made.
    """
    ready = _channels(channels)
    receivers: list[dict[str, Any]] = [{"name": NOBODY}]
    routes: list[dict[str, Any]] = []
    if alerting.webhook is not None:
        receivers.append(
            {"name": alerting.receiver, "webhook_configs": [_webhook(alerting.webhook)]}
        )
        everything = {"receiver": alerting.receiver, "continue": True}
        routes.append({**everything, "group_wait": "0s", "group_interval": "10s"})
    if ready:
        routes.append({"matchers": ['severity="none"'], "receiver": NOBODY})
    for name, level in _LEVELS.items() if ready else ():
        receivers.append({"name": name, **_sections(level, ready)})
        matchers = [f'severity=~"{level.severity}"'] if name != _UNLABELLED else []
        routes.append({"matchers": matchers, "receiver": name, **level.timers})
    routes.sort(key=lambda route: route["receiver"] == _UNLABELLED)  # it takes the rest: last
    return _completed(
        {
            "route": {
                "receiver": NOBODY,
                "group_by": alerting.group_by,
                "repeat_interval": f"{round(alerting.repeat_interval * 1000)}ms",
                "routes": routes,
            },
            "receivers": receivers,
        }
    )


def elsewhere_config() -> AlertmanagerConfig:
    """Where Alertmanagers elsewhere route: all alerts go to them, at once."""
    route = {"receiver": ELSEWHERE, "group_by": ["alertname"], "group_wait": "0s"}
    timers = {"group_interval": "1m"}
    return _completed({"route": {**route, **timers}, "receivers": [{"name": ELSEWHERE}]})


def _completed(document: Mapping[str, Any]) -> AlertmanagerConfig:
    config, found = complete(AlertmanagerConfig.model_validate(document), Path())
    if found := [*found, *faults(config)]:
        raise ConfigError("\n".join(fault.message for fault in found))
    return config


def _channels(settings: ChannelSettings) -> dict[str, dict[str, Any]]:
    """The section of each channel that is set up, by its name here."""
    found: dict[str, dict[str, Any]] = {}
    if settings.pagerduty_api_key is not None:
        found["pagerduty"] = {"routing_key": settings.pagerduty_api_key}
    if settings.slack_webhook_url is not None:
        found["slack"] = {"api_url": settings.slack_webhook_url, "send_resolved": True}
    if settings.sms_url is not None:
        found["sms"] = {"url": settings.sms_url, "send_resolved": False}
    if settings.smtp_smarthost:
        found["email"] = _email(settings)
    return found


def _email(settings: ChannelSettings) -> dict[str, Any]:
    return {
        "to": ", ".join(settings.smtp_to),
        "from": settings.smtp_from,
        "smarthost": settings.smtp_smarthost,
        "auth_username": settings.smtp_auth_username,
        "auth_password": settings.smtp_auth_password or "",
        "require_tls": settings.smtp_require_tls,
        "send_resolved": True,
    }


def _webhook(webhook: WebhookSettings) -> dict[str, Any]:
    return {
        "url": webhook.url,
        "timeout": f"{webhook.timeout:g}s",
        "max_alerts": webhook.max_alerts,
        "hmac_secret": webhook.hmac_secret or "",
    }


_KINDS = {"pagerduty": "pagerduty", "slack": "slack", "sms": "apprise", "email": "email"}


def _sections(level: _Level, ready: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    chosen = [name for name in level.channels if name in ready]
    chosen = chosen or [name for name in level.others if name in ready][:1]
    sections = {name: ready[name] for name in chosen}
    if "pagerduty" in sections:
        sections["pagerduty"] = {**sections["pagerduty"], "severity": level.pagerduty}
    return {f"{_KINDS[name]}_configs": [section] for name, section in sections.items()}
