"""The settings of a Prometheus-compatible server that everything is read from and written to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration


def _with_scheme(value: object) -> object:
    """``prometheus:9090`` means ``http://prometheus:9090``."""
    if isinstance(value, str) and value and "://" not in value:
        return f"http://{value}"
    return value


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address such as http://prometheus:9090 is expected")
    if parts.username or parts.password:
        raise ValueError("a login does not belong into the address; set username and password")
    if parts.query or parts.fragment:
        raise ValueError("an address without ? and # is expected; see `parameters`")
    return url.rstrip("/")


Address = Annotated[str, BeforeValidator(_with_scheme), AfterValidator(_http)]


class PeerSettings(Section):
    """A Prometheus, VictoriaMetrics, Thanos or Mimir to work on, instead of a store of our own."""

    url: Address | None = Field(
        default=None,
        description="Where its API is, with its path prefix if it has one: "
        "`http://prometheus:9090`, `http://vmselect:8481/select/0/prometheus`, "
        "`https://mimir/prometheus`. When it is set, no sample is stored here.",
    )
    write_url: Address | None = Field(
        default=None,
        description="Where it takes remote write; `URL/api/v1/write` when it is not given. For "
        "VictoriaMetrics cluster: `http://vminsert:8480/insert/0/prometheus/api/v1/write`.",
    )
    own_series: bool = Field(
        default=True,
        description="Whether the series of Pynomaly itself and of its host are written to it as "
        "well. They are at `/metrics` either way.",
    )
    username: str = Field(default="", description="For HTTP Basic authentication.")
    password: SecretStr | None = Field(default=None, description="For HTTP Basic authentication.")
    password_file: Path | None = Field(
        default=None, description="A file with the password; read anew for each request."
    )
    bearer_token: SecretStr | None = Field(
        default=None, description="Sent as `Authorization: Bearer TOKEN`."
    )
    bearer_token_file: Path | None = Field(
        default=None, description="A file with the token; read anew for each request."
    )
    headers: Mapping[str, SecretStr] = Field(
        default={}, description="Further headers, such as `X-Scope-OrgID`."
    )
    header_files: Mapping[str, Path] = Field(
        default={}, description="Further headers whose values stand in files."
    )
    ca_file: Path | None = Field(
        default=None, description="The authorities that sign its certificate; else the system's."
    )
    cert_file: Path | None = Field(default=None, description="A client certificate.")
    key_file: Path | None = Field(default=None, description="The key of the client certificate.")
    insecure_skip_verify: bool = Field(
        default=False, description="Whether any certificate is accepted. Not for production."
    )
    method: Literal["POST", "GET"] = Field(
        default="POST", description="How it is asked; GET for proxies that let no POST through."
    )
    parameters: Mapping[str, str] = Field(
        default={},
        description="Further parameters of each query, such as `dedup: 'true'` for Thanos.",
    )
    timeout: Annotated[Duration, Field(gt=0)] = Field(
        default=30.0, description="The longest that a write or a look at the series may take."
    )
    check_interval: Annotated[Duration, Field(gt=0)] = Field(
        default=5.0, description="How often it is asked whether it is there."
    )
    check_timeout: Annotated[Duration, Field(gt=0)] = Field(
        default=10.0, description="How long it may take to say so."
    )
    check_failures: int = Field(
        default=3, ge=1, description="After how many failed checks it is taken to be away."
    )
    settle: Duration = Field(
        default=90.0,
        ge=0,
        description="How long after it is back nothing is judged yet, so that its own targets are "
        "collected again: what was not collected while it was away does not fire an alert. Some "
        "ten seconds more than its longest scrape interval.",
    )
    retries: int = Field(
        default=3,
        ge=0,
        le=10,
        description="How often a write or a query that may be repeated is tried again.",
    )
    max_answer_bytes: int = Field(
        default=256 << 20, ge=1 << 10, description="The largest answer that is read."
    )
    max_concurrent: int = Field(
        default=8, ge=1, description="How many queries run on it at once; more wait."
    )
    max_write_samples: int = Field(
        default=10_000, ge=1, description="The most samples of one write request."
    )
    max_pending_samples: int = Field(
        default=1_000_000,
        ge=1,
        description='Samples that may wait for it; more are answered "busy".',
    )

    @model_validator(mode="after")
    def _consistent(self) -> "PeerSettings":
        for name in ("password", "bearer_token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file are both set; keep one")
        if self.username and (self.bearer_token or self.bearer_token_file):
            raise ValueError("username and bearer_token are both set; keep one")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client certificate needs both cert_file and key_file")
        return self

    def writes_to(self) -> str:
        """The address of remote write."""
        return self.write_url or f"{self.url}/api/v1/write"
