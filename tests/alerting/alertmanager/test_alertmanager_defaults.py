"""Without an ``alertmanager.yml``, alerts go by severity to the channels that are set up."""

import pytest
from pydantic import SecretStr, ValidationError

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.defaults import ChannelSettings, default_config
from pynomaly.alerting.alertmanager.dump import as_yaml
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.config import AlertingSettings, WebhookSettings
from pynomaly.model.document import ConfigError
from pynomaly.model.labels import Labels

SLACK = {"slack_webhook_url": SecretStr("https://hooks.slack.com/services/T/B/x")}
PAGERDUTY = {"pagerduty_api_key": SecretStr("pd-key")}
SMS = {"sms_url": SecretStr("twilio://sid:token@15550001/15550002")}
MAIL = {
    "smtp_smarthost": "mail.example.com:587",
    "smtp_from": "alerts@example.com",
    "smtp_to": ("ops@example.com", "sre@example.com"),
    "smtp_auth_password": SecretStr("mail-password"),
}
WEBHOOK = AlertingSettings(webhook=WebhookSettings(url=SecretStr("http://hook.example.com/")))


def config_of(*parts: dict[str, object], alerting: AlertingSettings | None = None):
    settings = ChannelSettings.model_validate({k: v for part in parts for k, v in part.items()})
    return default_config(settings, alerting or AlertingSettings())


def told(config: AlertmanagerConfig, **labels: str) -> list[str]:
    """The channels that an alert with these labels goes to."""
    ends = build_routes(config).match(Labels(labels))
    return [i.kind for end in ends for i in config.receiver(end.receiver).integrations()]


def end(config: AlertmanagerConfig, severity: str) -> Route:
    return build_routes(config).match(Labels({"severity": severity}))[-1]


@pytest.mark.parametrize(
    ("severities", "channels"),
    [
        (("critical", "P0"), {"pagerduty", "slack", "apprise"}),
        (("high", "P1"), {"pagerduty", "slack", "email"}),
        (("warning", "medium", "P2"), {"slack", "email"}),
        (("info", "low", "P3"), {"email"}),
    ],
)
def test_each_severity_goes_to_the_channels_of_its_level(severities, channels):
    config = config_of(SLACK, PAGERDUTY, MAIL, SMS)
    for severity in severities:
        assert set(told(config, severity=severity)) == channels


@pytest.mark.parametrize("labels", [{}, {"severity": "strange"}])
def test_an_alert_of_no_known_severity_is_told_as_a_warning(labels):
    assert told(config_of(SLACK, PAGERDUTY, MAIL), **labels) == ["email", "slack"]


@pytest.mark.parametrize(
    ("parts", "by_severity"),
    [
        ([SLACK], {"critical": "slack", "high": "slack", "warning": "slack", "info": "slack"}),
        ([MAIL], {"critical": "email", "high": "email", "warning": "email", "info": "email"}),
        ([PAGERDUTY], {"critical": "pagerduty", "high": "pagerduty", "warning": "pagerduty"}),
        ([SMS], {"critical": "apprise", "high": "apprise"}),
    ],
)
def test_one_channel_alone_takes_what_is_urgent_enough_for_it(parts, by_severity):
    config = config_of(*parts)
    for severity in ("critical", "high", "warning", "info"):
        expected = [by_severity[severity]] if severity in by_severity else []
        assert told(config, severity=severity) == expected, severity


def test_pagerduty_is_told_how_severe_it_is():
    config = config_of(PAGERDUTY)
    found = {}
    for name in ("critical", "high", "warning"):
        (section,) = config.receiver(name).pagerduty_configs
        assert isinstance(section, PagerDutyConfig)
        found[name] = section.severity
    assert found == {"critical": "critical", "high": "error", "warning": "warning"}


def test_what_is_more_severe_is_told_sooner_and_again_sooner():
    config = config_of(SLACK, MAIL)
    ends = [end(config, severity) for severity in ("critical", "high", "warning", "info")]
    assert [e.group_wait for e in ends] == [0.0, 10.0, 30.0, 30.0]
    assert [e.repeat_interval for e in ends] == [900.0, 3600.0, 4 * 3600.0, 86_400.0]


def test_a_watchdog_is_not_told_on():
    assert told(config_of(SLACK), severity="none", alertname="Watchdog") == []


def test_the_webhook_is_told_of_everything_beside_the_other_channels():
    config = config_of(SLACK, alerting=WEBHOOK)
    assert told(config, severity="info") == ["webhook", "slack"]
    assert told(config, severity="none") == ["webhook"]


def test_the_webhook_alone_has_the_name_and_the_timers_of_its_settings():
    alerting = WEBHOOK.model_copy(
        update={"receiver": "ours", "group_by": ("job",), "repeat_interval": 90.5}
    )
    config = config_of(alerting=alerting)
    (route,) = build_routes(config).match(Labels({"severity": "critical"}))
    assert (route.receiver, route.group_by) == ("ours", frozenset({"job"}))
    assert (route.group_wait, route.repeat_interval) == (0.0, 90.5)


def test_without_any_channel_nobody_is_told():
    assert told(config_of(), severity="critical") == []


def test_mail_has_its_server_its_people_and_tls():
    (mail,) = config_of(MAIL).receiver("info").email_configs
    assert isinstance(mail, EmailConfig)
    assert (mail.to, mail.smarthost) == ("ops@example.com, sre@example.com", "mail.example.com:587")
    assert mail.require_tls


def test_half_of_the_settings_of_mail_are_refused_with_what_is_missing():
    with pytest.raises(ValidationError, match="mails need smtp_from and smtp_to as well"):
        ChannelSettings.model_validate({"smtp_smarthost": "mail:25"})


def test_no_secret_is_shown():
    shown = as_yaml(config_of(SLACK, PAGERDUTY, MAIL, SMS, alerting=WEBHOOK))
    assert shown.count("<secret>") == 10
    for secret in ("hooks.slack.com", "pd-key", "twilio", "mail-password", "hook.example.com"):
        assert secret not in shown


def test_a_receiver_cannot_have_the_name_of_a_level():
    alerting = WEBHOOK.model_copy(update={"receiver": "critical"})
    with pytest.raises(ConfigError, match="the name 'critical' is taken already"):
        config_of(SLACK, alerting=alerting)


def test_the_webhook_that_needs_no_file_may_be_signed() -> None:
    webhook = {"url": "http://hook.example.com/", "hmac_secret": "sesame", "max_alerts": 5}
    config = config_of(alerting=AlertingSettings.model_validate({"webhook": webhook}))
    (section,) = config.receiver("webhook").webhook_configs
    assert section.hmac_secret.get_secret_value() == "sesame" and section.max_alerts == 5


def test_a_rate_limit_is_for_a_kind_of_channel_that_there_is() -> None:
    assert AlertingSettings().rate_limits["slack"] == 60
    with pytest.raises(ValidationError, match="'slak' is no kind of channel"):
        AlertingSettings.model_validate({"rate_limits": {"slak": 1}})
