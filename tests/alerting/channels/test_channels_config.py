"""Sections of channels: defaults, what they inherit, where their files lie, and their silence."""

from pathlib import Path
from typing import Any

import pytest

from pynomaly.alerting.channels.config import ChannelConfig, ChannelDefaults, HttpChannelConfig
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.fields import go_duration, host_and_port
from pynomaly.alerting.channels.kinds import CONFIGS
from pynomaly.alerting.channels.msteamsv2.config import MSTeamsV2Config
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.channels.slack.config import SlackConfig
from pynomaly.alerting.channels.webhook.config import WebhookConfig

HOOK = {"webhook_url": "http://x/s3cret"}
LEAST: dict[str, dict[str, Any]] = {
    "webhook": {"url": "http://x/s3cret"},
    "email": {"to": "a@x"},
    "pagerduty": {"routing_key": "s3cret"},
    "opsgenie": {},
    "wechat": {},
    "slack": {},
    "victorops": {"routing_key": "ops"},
    "pushover": {"user_key": "s3cret", "token": "s3cret"},
    "telegram": {"chat_id": 1},
    "discord": HOOK,
    "webex": {"room_id": "r", "http_config": {"authorization": {"credentials": "s3cret"}}},
    "msteams": HOOK,
    "msteamsv2": HOOK,
    "incidentio": {"url": "http://x", "alert_source_token": "s3cret"},
    "rocketchat": {},
    "mattermost": {},
    "apprise": {"url": "json://x/s3cret"},
}
GLOBAL = {
    "http_config": {"proxy_url": "http://proxy"},
    "smtp_smarthost": "mail:25",
    "smtp_from": "b@x",
    "smtp_auth_password": "s3cret",
    "slack_api_url": "http://slack/s3cret",
    "opsgenie_api_key": "s3cret",
    "wechat_api_secret": "s3cret",
    "wechat_api_corp_id": "corp",
    "victorops_api_key": "s3cret",
    "telegram_bot_token": "s3cret",
    "rocketchat_token": "s3cret",
    "rocketchat_token_id": "s3cret",
    "mattermost_webhook_url": "http://mattermost/s3cret",
}
NOT_BY_DEFAULT = {"email", "slack", "wechat", "rocketchat"}


def complete(kind: str) -> ChannelConfig:
    section = CONFIGS[kind].model_validate(LEAST[kind])
    return section.inherit(ChannelDefaults.model_validate(GLOBAL))


@pytest.mark.parametrize("kind", LEAST)
def test_global_says_what_a_section_does_not(kind: str) -> None:
    section = complete(kind)
    assert section.send_resolved is (kind not in NOT_BY_DEFAULT)
    if isinstance(section, HttpChannelConfig) and kind != "webex":
        assert section.http_config is not None
        assert section.http_config.proxy_url == "http://proxy"


@pytest.mark.parametrize("kind", LEAST)
def test_no_section_shows_its_secrets(kind: str) -> None:
    section = complete(kind)
    assert "s3cret" not in repr(section) + str(section.model_dump())


@pytest.mark.parametrize("kind", sorted(set(LEAST) - {"webhook", "email", "pagerduty", "apprise"}))
def test_a_section_that_global_does_not_complete_is_refused(kind: str) -> None:
    try:
        CONFIGS[kind].model_validate(LEAST[kind]).inherit(ChannelDefaults())
    except ValueError as error:
        assert "set" in str(error) or "must be configured" in str(error)
    else:
        assert LEAST[kind]  # it had everything itself


def test_a_sections_own_words_count_before_those_of_global() -> None:
    defaults = ChannelDefaults.model_validate(GLOBAL)
    own = {"to": "a@x", "from": "c@x", "smarthost": "other:587", "auth_password_file": "f"}
    mail = EmailConfig.model_validate(own).inherit(defaults)
    assert (mail.from_, mail.smarthost, mail.auth_password_file) == ("c@x", "other:587", "f")
    assert mail.auth_password.get_secret_value() == "" and mail.require_tls is True
    slack = SlackConfig.model_validate({"api_url_file": "f"}).inherit(defaults)
    assert slack.api_url is None


def test_an_app_of_global_is_not_taken_where_there_is_a_webhook() -> None:
    defaults = ChannelDefaults.model_validate({"slack_app_token": "t0ken"})
    hook = SlackConfig.model_validate({"api_url": "http://x"}).inherit(defaults)
    assert hook.app_token.get_secret_value() == ""
    app = SlackConfig.model_validate({"channel": "#x"}).inherit(defaults)
    assert app.app_token.get_secret_value() == "t0ken"


def test_only_the_proxy_of_global_joins_an_http_config_of_msteamsv2() -> None:
    own = {**HOOK, "http_config": {"follow_redirects": False}}
    section = MSTeamsV2Config.model_validate(own).inherit(ChannelDefaults.model_validate(GLOBAL))
    assert section.http_config is not None
    assert section.http_config.proxy_url == "http://proxy"
    assert section.http_config.follow_redirects is False


def test_details_of_pagerduty_join_the_usual_ones() -> None:
    own = {"routing_key": "k", "details": {"firing": "mine", "team": "x"}}
    section = PagerDutyConfig.model_validate(own).inherit(ChannelDefaults())
    assert section.details["firing"] == "mine" and "num_firing" in section.details
    assert (section.source, section.severity) == (section.client, "error")


def test_files_lie_beside_the_file_that_names_them() -> None:
    config = {
        "url_file": "url",
        "http_config": {
            "tls_config": {"ca_file": "ca.pem"},
            "authorization": {"credentials_file": "/abs/token"},
            "http_headers": {"X-A": {"files": ["a"]}},
        },
    }
    section = WebhookConfig.model_validate(config).located(Path("/etc/am"))
    assert section.url_file == "/etc/am/url" and section.hmac_secret_file == ""
    client = section.http_config
    assert client is not None and client.authorization is not None
    assert client.tls_config.ca_file == "/etc/am/ca.pem"
    assert client.authorization.credentials_file == "/abs/token"
    assert client.http_headers["X-A"].files == ["/etc/am/a"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10.0), ("1m30s", 90.0), ("1.5s", 1.5), ("250ms", 0.25), ("0", 0.0), ("1h", 3600.0)],
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["10", "1d", "", "s", "-1s", "1s2", True])
def test_what_is_no_duration_of_gos_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="with its unit"):
        go_duration(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("mail:25", ("mail", "25")), ("[::1]:465", ("::1", "465")), ("", ("", ""))],
)
def test_a_smarthost_is_a_host_and_a_port(text: str, parts: tuple[str, str]) -> None:
    assert host_and_port(text) == parts


@pytest.mark.parametrize("reference", ["password_ref", "username_ref"])
def test_secrets_of_a_manager_that_there_is_not_are_refused(reference: str) -> None:
    config = {"url": "http://x", "http_config": {"basic_auth": {reference: "r"}}}
    with pytest.raises(ValueError, match="secret manager"):
        WebhookConfig.model_validate(config)
