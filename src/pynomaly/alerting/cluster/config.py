"""``alerting.alertmanagers``: Prometheus's own section, or an address alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from pynomaly.alerting.channels.config import HttpConfig, located
from pynomaly.ingest.scrape.config import FileDiscovery, HttpDiscovery, StaticConfig
from pynomaly.ingest.scrape.relabel import RelabelRule
from pynomaly.ingest.scrape.skipped import SkippedDiscovery, skipped_of
from pynomaly.model.duration import Duration


class AlertmanagerBlock(HttpConfig, SkippedDiscovery):
    """Alertmanagers that are reached in one way; an address such as ``http://am:9093`` is one."""

    scheme: Literal["http", "https"] = "http"
    path_prefix: str = "/"
    timeout: Duration = Field(default=10.0, gt=0)
    api_version: Literal["v2"] = "v2"
    static_configs: tuple[StaticConfig, ...] = ()
    file_sd_configs: tuple[FileDiscovery, ...] = ()
    http_sd_configs: tuple[HttpDiscovery, ...] = ()
    relabel_configs: tuple[RelabelRule, ...] = ()
    alert_relabel_configs: tuple[RelabelRule, ...] = ()
    sigv4: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, data: Any) -> Any:
        return _of_address(data) if isinstance(data, str) else data

    @model_validator(mode="after")
    def _complete(self) -> "AlertmanagerBlock":
        if self.sigv4 is not None:
            raise ValueError("sigv4 is not supported here; use authorization, oauth2 or basic_auth")
        for group in () if self.relabel_configs else self.static_configs:
            for target in group.targets:
                if not target or "/" in target:
                    raise ValueError(f"{target!r} is not host:port; use scheme and path_prefix")
        if skipped := skipped_of(self):
            raise ValueError(
                f"{skipped[0]} is not supported; use static_configs, file_sd_configs or "
                "http_sd_configs"
            )
        return self

    def located(self, base: Path) -> "AlertmanagerBlock":
        """With the paths of its files, relative to the folder ``base``, absolute."""
        files = tuple(located(each, base) for each in self.file_sd_configs)
        servers = tuple(located(each, base) for each in self.http_sd_configs)
        changes = {"file_sd_configs": files, "http_sd_configs": servers}
        return located(self, base).model_copy(update=changes)


def _of_address(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        address = parts.netloc.rpartition("@")[2]
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good, address = False, ""
    if not good or parts.query or parts.fragment:
        raise ValueError("an address such as http://alertmanager:9093 is expected, or a section")
    block: dict[str, Any] = {
        "scheme": parts.scheme,
        "path_prefix": parts.path.removesuffix("/").removesuffix("/api/v2/alerts") or "/",
        "static_configs": [{"targets": [address]}],
    }
    if parts.username:
        block["basic_auth"] = {
            "username": unquote(parts.username),
            "password": unquote(parts.password or ""),
        }
    return block


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Which Alertmanagers are told, and under which labels.

    ``external_labels`` are added to the alerts of our own rules, where they lack them, and then
    ``alert_relabel_configs`` change or drop alerts; a block may change them further.
    ``queue_capacity``: alerts that wait for one Alertmanager.
    """

    blocks: tuple[AlertmanagerBlock, ...] = ()
    external_labels: Mapping[str, str] = field(default_factory=dict)
    alert_relabel_configs: tuple[RelabelRule, ...] = ()
    queue_capacity: int = 10_000

    def __bool__(self) -> bool:
        """Whether alerts go elsewhere at all."""
        return bool(self.blocks)


HERE = ClusterConfig()
"""Alerts are routed and delivered here."""


def blocks_of(section: list[dict[str, Any]], folder: Path) -> Iterator[AlertmanagerBlock]:
    """Those of a ``prometheus.yml`` in ``folder``.

    Raises:
        ValueError: one of them cannot be used.
    """
    for each in section:
        yield AlertmanagerBlock.model_validate(each).located(folder)
