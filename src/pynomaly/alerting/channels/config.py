"""What the sections of all channels share, and the part of ``global`` that they inherit."""

from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.fields import HostPort, Secret, SecretUrl, Text, Url
from pynomaly.ingest.scrape.client_config import ClientConfig, TlsConfig
from pynomaly.model.document import Section


class HttpConfig(ClientConfig):
    """``http_config``: credentials, TLS, headers, proxy and redirects."""

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if self.oauth2 is not None and (what := self.oauth2.unsupported()):
            raise ValueError(f"oauth2: {what} is not supported; use client credentials")
        for section in (self.tls_config, self.basic_auth, self.authorization):
            for name in type(section).model_fields if section is not None else ():
                if name.endswith("_ref") and getattr(section, name):
                    raise ValueError(f"{name} needs a secret manager, which is not supported")
        return self


class ChannelDefaults(Section):
    """What ``global`` says for every channel, with Alertmanager's defaults."""

    http_config: HttpConfig = HttpConfig()
    jira_api_url: Url | None = None
    smtp_from: Text = ""
    smtp_hello: Text = "localhost"
    smtp_smarthost: HostPort = ""
    smtp_auth_username: Text = ""
    smtp_auth_password: Secret = SecretStr("")
    smtp_auth_password_file: str = ""
    smtp_auth_secret: Secret = SecretStr("")
    smtp_auth_secret_file: str = ""
    smtp_auth_identity: Text = ""
    smtp_require_tls: bool = True
    smtp_tls_config: TlsConfig = TlsConfig()
    smtp_force_implicit_tls: bool | None = None
    slack_api_url: SecretUrl | None = None
    slack_api_url_file: str = ""
    slack_app_token: Secret = SecretStr("")
    slack_app_token_file: str = ""
    slack_app_url: Url = "https://slack.com/api/chat.postMessage"
    pagerduty_url: Url = "https://events.pagerduty.com/v2/enqueue"
    opsgenie_api_url: Url = "https://api.opsgenie.com/"
    opsgenie_api_key: Secret = SecretStr("")
    opsgenie_api_key_file: str = ""
    wechat_api_url: Url = "https://qyapi.weixin.qq.com/cgi-bin/"
    wechat_api_secret: Secret = SecretStr("")
    wechat_api_secret_file: str = ""
    wechat_api_corp_id: Text = ""
    victorops_api_url: Url = "https://alert.victorops.com/integrations/generic/20131114/alert/"
    victorops_api_key: Secret = SecretStr("")
    victorops_api_key_file: str = ""
    telegram_api_url: Url = "https://api.telegram.org"
    telegram_bot_token: Secret = SecretStr("")
    telegram_bot_token_file: str = ""
    webex_api_url: Url = "https://webexapis.com/v1/messages"
    rocketchat_api_url: Url = "https://open.rocket.chat/"
    rocketchat_token: Secret = SecretStr("")
    rocketchat_token_file: str = ""
    rocketchat_token_id: Secret = SecretStr("")
    rocketchat_token_id_file: str = ""
    mattermost_webhook_url: SecretUrl | None = None
    mattermost_webhook_url_file: str = ""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        at_most_one(self, *_FILES_OF_DEFAULTS)
        token = given(self, "slack_app_token") or self.slack_app_token_file
        url = self.slack_api_url
        webhook = url is not None and url.get_secret_value() != self.slack_app_url
        if token and (webhook or self.slack_api_url_file):
            raise ValueError("slack_app_token and slack_api_url: only one can be configured")
        return self


_FILES_OF_DEFAULTS = tuple(
    name.removesuffix("_file") for name in ChannelDefaults.model_fields if name.endswith("_file")
)


class ChannelConfig(Section):
    """A section of a receiver. After ``inherit`` it says all that its channel needs."""

    kind: ClassVar[str]
    """The name of the channel; its sections stand under ``<kind>_configs``."""

    send_resolved: bool = Field(default=True, description="Whether to tell that alerts ended.")

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """This section with what it leaves to ``global`` filled in.

        Raises:
            ValueError: something that is needed stands in neither.
        """
        raise NotImplementedError

    def located(self, base: Path) -> Self:
        """This section with the paths of its files, relative to the folder ``base``, absolute."""
        return located(self, base)


class HttpChannelConfig(ChannelConfig):
    """A section of a channel that is reached by HTTP."""

    http_config: HttpConfig | None = None

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the ``http_config`` of ``global`` unless it has one."""
        return self.model_copy(update={"http_config": self.http_config or defaults.http_config})


def given(section: Section, name: str) -> bool:
    """Whether a field has a value that is not empty."""
    value = getattr(section, name)
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def at_most_one(section: Section, *names: str) -> None:
    """Raise ValueError when a field and its ``_file`` are both given."""
    for name in names:
        if given(section, name) and given(section, f"{name}_file"):
            raise ValueError(f"at most one of {name} and {name}_file can be configured")


def exactly_one(section: Section, *names: str) -> None:
    """Raise ValueError unless either a field or its ``_file`` is given."""
    at_most_one(section, *names)
    for name in names:
        if not given(section, name) and not given(section, f"{name}_file"):
            raise ValueError(f"one of {name} and {name}_file must be configured")


def or_default(
    section: Section, name: str, defaults: ChannelDefaults, default: str
) -> dict[str, Any]:
    """The change that takes a field and its ``_file`` from ``global`` when neither is given."""
    if given(section, name) or given(section, f"{name}_file"):
        return {}
    return {
        name: getattr(defaults, default),
        f"{name}_file": getattr(defaults, f"{default}_file"),
    }


SectionType = TypeVar("SectionType", bound=Section)


def located(section: SectionType, base: Path) -> SectionType:
    """A section whose fields ``…_file`` and ``files``, at any depth, are absolute paths."""
    changes: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            changes[name] = located(value, base)
        elif name == "http_headers":
            changes[name] = {header: located(values, base) for header, values in value.items()}
        elif name == "files":
            changes[name] = [str(base / path) for path in value]
        elif name.endswith("_file") and value:
            changes[name] = str(base / value)
    return section.model_copy(update=changes)
