"""``global``: what holds for all receivers that do not say otherwise."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from pynomaly.alerting.alertmanager.values import HostPort, SecretUrl, Url
from pynomaly.model.document import Section
from pynomaly.model.duration import Duration


class GlobalConfig(Section):
    """Defaults of the integrations, by Alertmanager's names."""

    resolve_timeout: Duration = 300.0
    http_config: Mapping[str, Any] = Field(default_factory=dict)

    smtp_from: str = ""
    smtp_hello: str = "localhost"
    smtp_smarthost: HostPort = ""
    smtp_auth_username: str = ""
    smtp_auth_password: SecretStr = SecretStr("")
    smtp_auth_password_file: str = ""
    smtp_auth_secret: SecretStr = SecretStr("")
    smtp_auth_secret_file: str = ""
    smtp_auth_identity: str = ""
    smtp_require_tls: bool = True
    smtp_tls_config: Mapping[str, Any] = Field(default_factory=dict)
    smtp_force_implicit_tls: bool | None = None

    slack_api_url: SecretUrl | None = None
    slack_api_url_file: str = ""
    slack_app_token: SecretStr = SecretStr("")
    slack_app_token_file: str = ""
    slack_app_url: Url = "https://slack.com/api/chat.postMessage"

    pagerduty_url: Url = "https://events.pagerduty.com/v2/enqueue"

    opsgenie_api_url: Url = "https://api.opsgenie.com/"
    opsgenie_api_key: SecretStr = SecretStr("")
    opsgenie_api_key_file: str = ""

    wechat_api_url: Url = "https://qyapi.weixin.qq.com/cgi-bin/"
    wechat_api_secret: SecretStr = SecretStr("")
    wechat_api_secret_file: str = ""
    wechat_api_corp_id: str = ""

    victorops_api_url: Url = "https://alert.victorops.com/integrations/generic/20131114/alert/"
    victorops_api_key: SecretStr = SecretStr("")
    victorops_api_key_file: str = ""

    telegram_api_url: Url = "https://api.telegram.org"
    telegram_bot_token: SecretStr = SecretStr("")
    telegram_bot_token_file: str = ""

    webex_api_url: Url = "https://webexapis.com/v1/messages"

    jira_api_url: Url | None = None

    rocketchat_api_url: Url = "https://open.rocket.chat/"
    rocketchat_token: SecretStr = SecretStr("")
    rocketchat_token_file: str = ""
    rocketchat_token_id: SecretStr = SecretStr("")
    rocketchat_token_id_file: str = ""

    mattermost_webhook_url: SecretUrl | None = None
    mattermost_webhook_url_file: str = ""
