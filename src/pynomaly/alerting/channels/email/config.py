"""``email_configs``."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from pynomaly.alerting.channels.config import (
    ChannelConfig,
    ChannelDefaults,
    at_most_one,
    or_default,
)
from pynomaly.alerting.channels.fields import HostPort, Secret, Text
from pynomaly.ingest.scrape.client_config import TlsConfig
from pynomaly.model.document import Section

SUBJECT = '{{ template "email.default.subject" . }}'


class Threading(Section):
    """Whether mails of one group form a thread; a new one each day unless ``none``."""

    enabled: bool = False
    thread_by_date: Literal["", "none", "daily"] = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.enabled and not self.thread_by_date:
            raise ValueError("thread_by_date must be either none or daily")
        return self


class EmailConfig(ChannelConfig):
    """A mail by SMTP. Header names are held as ``Message-Id`` is written."""

    kind: ClassVar[str] = "email"

    send_resolved: bool = False
    to: Text = Field(min_length=1)
    from_: Text = Field(default="", alias="from")
    hello: Text = ""
    smarthost: HostPort = ""
    auth_username: Text = ""
    auth_password: Secret = SecretStr("")
    auth_password_file: str = ""
    auth_secret: Secret = SecretStr("")
    auth_secret_file: str = ""
    auth_identity: Text = ""
    headers: dict[Text, Text] = Field(default_factory=dict)
    html: Text = '{{ template "email.default.html" . }}'
    text: Text = ""
    require_tls: bool | None = None
    tls_config: TlsConfig | None = None
    force_implicit_tls: bool | None = None
    threading: Threading = Threading()

    @field_validator("headers")
    @classmethod
    def _canonical(cls, headers: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in headers.items():
            canonical = "-".join(part.capitalize() for part in name.split("-"))
            if canonical in found:
                raise ValueError(f"the header {canonical!r} is there twice")
            found[canonical] = value
        return found

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "auth_password", "auth_secret")
        for name in ("References", "In-Reply-To"):
            if self.threading.enabled and name in self.headers:
                raise ValueError(f"threading and a header {name!r} of one's own exclude each other")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the server, sender and credentials of ``global``.

        Raises:
            ValueError: there is no server or no sender.
        """
        changes: dict[str, Any] = {
            "smarthost": self.smarthost or defaults.smtp_smarthost,
            "from_": self.from_ or defaults.smtp_from,
            "hello": self.hello or defaults.smtp_hello,
            "auth_username": self.auth_username or defaults.smtp_auth_username,
            "auth_identity": self.auth_identity or defaults.smtp_auth_identity,
            "tls_config": self.tls_config or defaults.smtp_tls_config,
            **or_default(self, "auth_password", defaults, "smtp_auth_password"),
            **or_default(self, "auth_secret", defaults, "smtp_auth_secret"),
        }
        if self.require_tls is None:
            changes["require_tls"] = defaults.smtp_require_tls
        if self.force_implicit_tls is None:
            changes["force_implicit_tls"] = defaults.smtp_force_implicit_tls
        if not changes["smarthost"]:
            raise ValueError("no mail server: set smarthost here, or smtp_smarthost under global")
        if not changes["from_"]:
            raise ValueError("no sender: set from here, or smtp_from under global")
        return self.model_copy(update=changes)
