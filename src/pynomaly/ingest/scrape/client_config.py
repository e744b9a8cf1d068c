"""How a target or a discovery endpoint is reached: credentials, TLS, headers, proxy."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from pynomaly.ingest.scrape.values import Text
from pynomaly.model.document import Section


def _secret(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _one_of(section: str, holder: Section, *names: str) -> None:
    given = [n for n in names if _plain(getattr(holder, n))]
    if len(given) > 1:
        where = f" of {section}" if section else ""
        raise ValueError(f"only one of {' and '.join(given)}{where} can be configured")


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class BasicAuth(Section):
    """``basic_auth``: a name and a password, either of which may stand in a file."""

    username: Text = ""
    username_file: str = ""
    username_ref: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    password_ref: str = ""

    @field_validator("password", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return _secret(value)

    @model_validator(mode="after")
    def _check(self) -> "BasicAuth":
        _one_of("basic_auth", self, "username", "username_file", "username_ref")
        _one_of("basic_auth", self, "password", "password_file", "password_ref")
        return self


class Authorization(Section):
    """``authorization``: a type and credentials, which may stand in a file."""

    type: Text = "Bearer"
    credentials: SecretStr = SecretStr("")
    credentials_file: str = ""
    credentials_ref: str = ""

    @field_validator("credentials", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return _secret(value)

    @model_validator(mode="after")
    def _check(self) -> "Authorization":
        _one_of("authorization", self, "credentials", "credentials_file", "credentials_ref")
        if self.type.strip().lower() == "basic":
            raise ValueError('authorization type cannot be "basic"; use basic_auth instead')
        return self


TlsVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class TlsConfig(Section):
    """``tls_config``."""

    ca: str = ""
    ca_file: str = ""
    ca_ref: str = ""
    cert: str = ""
    cert_file: str = ""
    cert_ref: str = ""
    key: SecretStr = SecretStr("")
    key_file: str = ""
    key_ref: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: TlsVersion | None = None
    max_version: TlsVersion | None = None

    @model_validator(mode="after")
    def _check(self) -> "TlsConfig":
        for name in ("ca", "cert", "key"):
            _one_of("tls_config", self, name, f"{name}_file", f"{name}_ref")
        cert = bool(self.cert or self.cert_file or self.cert_ref)
        if cert != bool(self.key.get_secret_value() or self.key_file or self.key_ref):
            raise ValueError("a client certificate needs both: cert_file and key_file")
        return self


class HeaderValues(Section):
    """The values of one of ``http_headers``."""

    values: list[Text] = Field(default_factory=list)
    secrets: list[SecretStr] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)


class OAuth2(Section):
    """``oauth2``: client credentials (RFC 6749, 4.4), by which a token is fetched."""

    client_id: Text = Field(min_length=1)
    client_secret: SecretStr = SecretStr("")
    client_secret_file: str = ""
    client_secret_ref: str = ""
    scopes: list[Text] = Field(default_factory=list)
    token_url: Text
    endpoint_params: dict[Text, Text] = Field(default_factory=dict)
    audience: Text = ""
    grant_type: Text = ""
    iss: Text = ""
    claims: dict[str, Any] = Field(default_factory=dict)
    signature_algorithm: Text = ""
    client_certificate_key: SecretStr = SecretStr("")
    client_certificate_key_file: str = ""
    client_certificate_key_id: Text = ""
    client_certificate_key_ref: str = ""
    tls_config: TlsConfig = TlsConfig()
    proxy_url: str = ""
    no_proxy: str = ""
    proxy_from_environment: bool = False
    proxy_connect_header: dict[str, Any] | None = None

    @field_validator("client_secret", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return _secret(value)

    @field_validator("token_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                "token_url: an address that begins with http:// or https:// is expected"
            )
        return url

    @model_validator(mode="after")
    def _check(self) -> "OAuth2":
        _one_of("oauth2", self, "client_secret", "client_secret_file", "client_secret_ref")
        return self

    def unsupported(self) -> str:
        """What of it is not supported; empty if all is."""
        if self.grant_type not in ("", "client_credentials"):
            return f"grant_type {self.grant_type}"
        key = "client_certificate_key"
        names = ("client_secret_ref", key, f"{key}_file", f"{key}_ref")
        return next((name for name in names if _plain(getattr(self, name))), "")


_RESERVED_HEADERS = frozenset(
    [
        "accept", "accept-encoding", "authorization", "connection", "content-encoding",
        "content-length", "content-type", "host", "transfer-encoding", "user-agent",
        "x-prometheus-scrape-timeout-seconds",
    ]
)  # fmt: skip


class ClientConfig(Section):
    """What Prometheus calls its HTTP client configuration; part of several sections."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: OAuth2 | None = None
    bearer_token: SecretStr = SecretStr("")
    bearer_token_file: str = ""
    tls_config: TlsConfig = TlsConfig()
    follow_redirects: bool = True
    enable_http2: bool = True
    proxy_url: str = ""
    no_proxy: str = ""
    proxy_from_environment: bool = False
    proxy_connect_header: dict[str, Any] | None = None
    http_headers: dict[str, HeaderValues] = Field(default_factory=dict)

    @field_validator("http_headers")
    @classmethod
    def _no_reserved(cls, headers: dict[str, HeaderValues]) -> dict[str, HeaderValues]:
        for name in headers:
            if name.lower() in _RESERVED_HEADERS:
                raise ValueError(f"http_headers cannot set {name!r}")
        return headers

    @model_validator(mode="after")
    def _one_credential(self) -> "ClientConfig":
        _one_of("", self, "bearer_token", "bearer_token_file")
        bearer = self.bearer_token.get_secret_value() or self.bearer_token_file
        given = [n for n in ("basic_auth", "authorization", "oauth2") if getattr(self, n)]
        given += ["bearer_token"] if bearer else []
        if len(given) > 1:
            raise ValueError(f"only one of {' and '.join(given)} can be configured")
        if (self.no_proxy or self.proxy_connect_header) and not (
            self.proxy_url or self.proxy_from_environment
        ):
            raise ValueError("no_proxy and proxy_connect_header need a proxy_url")
        return self

    def credentials(self) -> Authorization | None:
        """``authorization``, or the same said by the older ``bearer_token``."""
        if self.bearer_token.get_secret_value() or self.bearer_token_file:
            return Authorization(
                credentials=self.bearer_token, credentials_file=self.bearer_token_file
            )
        return self.authorization


def resolve(base: Path, path: str) -> str:
    """A path of a configuration file, which is relative to that file's folder."""
    return str(base / path) if path else ""


def resolved_client(config: ClientConfig, base: Path) -> dict[str, Any]:
    """The changes to ``config`` that make its paths absolute, for ``model_copy``."""
    update: dict[str, Any]
    changes: dict[str, Any] = {
        "bearer_token_file": resolve(base, config.bearer_token_file),
        "tls_config": _resolved_tls(config.tls_config, base),
        "http_headers": {
            name: header.model_copy(update={"files": [resolve(base, f) for f in header.files]})
            for name, header in config.http_headers.items()
        },
    }
    if (basic := config.basic_auth) is not None:
        files = ("username_file", "password_file")
        update = {n: resolve(base, getattr(basic, n)) for n in files}
        changes["basic_auth"] = basic.model_copy(update=update)
    if (oauth2 := config.oauth2) is not None:
        update = {
            "client_secret_file": resolve(base, oauth2.client_secret_file),
            "tls_config": _resolved_tls(oauth2.tls_config, base),
        }
        changes["oauth2"] = oauth2.model_copy(update=update)
    if (auth := config.authorization) is not None:
        update = {"credentials_file": resolve(base, auth.credentials_file)}
        changes["authorization"] = auth.model_copy(update=update)
    return changes


def _resolved_tls(tls: TlsConfig, base: Path) -> TlsConfig:
    names = ("ca_file", "cert_file", "key_file")
    return tls.model_copy(update={name: resolve(base, getattr(tls, name)) for name in names})
