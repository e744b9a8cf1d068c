"""A ``prometheus.yml``, typed; Prometheus's own loads unchanged.

What Pynomaly does not do is accepted, named and skipped. Every key that Prometheus does not know
is refused with its line and the nearest right name.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pynomaly.ingest.scrape.client_config import ClientConfig, resolve, resolved_client
from pynomaly.ingest.scrape.relabel import RelabelRule
from pynomaly.ingest.scrape.skipped import SkippedDiscovery, skipped_of
from pynomaly.ingest.scrape.values import Size, Text
from pynomaly.model import document
from pynomaly.model.document import ConfigError, Section
from pynomaly.model.duration import Duration

_FILE_SD = re.compile(r"[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)")
_RULE_FILE = re.compile(r"[^*]*(\*[^/]*)?")
Protocol_ = Literal[
    "PrometheusProto",
    "OpenMetricsText0.0.1",
    "OpenMetricsText1.0.0",
    "PrometheusText0.0.4",
    "PrometheusText1.0.0",
]
Scheme = Literal["", "legacy", "utf8"]
Escaping = Literal["", "allow-utf-8", "underscores", "dots", "values"]


class StaticConfig(Section):
    """Targets that are written down, and labels that all of them get."""

    targets: list[Text] = Field(default_factory=list)
    labels: dict[Text, Text] = Field(default_factory=dict)

    @field_validator("labels")
    @classmethod
    def _names(cls, labels: dict[str, str]) -> dict[str, str]:
        return _checked_labels(labels)


class FileDiscovery(Section):
    """Targets that stand in JSON or YAML files, which are read again when they change."""

    files: list[str] = Field(min_length=1)
    refresh_interval: Duration = 300.0

    @field_validator("files")
    @classmethod
    def _patterns(cls, files: list[str]) -> list[str]:
        for path in files:
            if not _FILE_SD.fullmatch(path):
                raise ValueError(f"{path!r} must end in .json, .yml or .yaml; * only before that")
        return files


class HttpDiscovery(ClientConfig):
    """Targets that a server lists as JSON."""

    url: str
    refresh_interval: Duration = 60.0

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("the URL's scheme must be http or https")
        if not parts.netloc:
            raise ValueError("the URL lacks a host")
        return url


class Limits(Section):
    """Bounds of a scrape, 0 for none; those of ``global`` hold where a job has none."""

    body_size_limit: Size = 0
    sample_limit: int = Field(default=0, ge=0)
    target_limit: int = Field(default=0, ge=0)
    label_limit: int = Field(default=0, ge=0)
    label_name_length_limit: int = Field(default=0, ge=0)
    label_value_length_limit: int = Field(default=0, ge=0)
    keep_dropped_targets: int = Field(default=0, ge=0)
    scrape_protocols: list[Protocol_] | None = Field(default=None, min_length=1)
    scrape_failure_log_file: str = ""
    scrape_native_histograms: bool | None = None
    always_scrape_classic_histograms: bool | None = None
    convert_classic_histograms_to_nhcb: bool | None = None
    extra_scrape_metrics: bool | None = None
    metric_name_validation_scheme: Scheme = ""
    metric_name_escaping_scheme: Escaping = ""

    @field_validator("scrape_protocols")
    @classmethod
    def _once(cls, protocols: list[str] | None) -> list[str] | None:
        if protocols and len(set(protocols)) < len(protocols):
            raise ValueError("a protocol is named twice")
        return protocols


class GlobalConfig(Limits):
    """``global``."""

    scrape_interval: Duration = 60.0
    scrape_timeout: Duration = 0.0
    evaluation_interval: Duration = 60.0
    rule_query_offset: Duration = 0.0
    query_log_file: str = ""
    external_labels: dict[Text, Text] = Field(default_factory=dict)

    @field_validator("external_labels")
    @classmethod
    def _names(cls, labels: dict[str, str]) -> dict[str, str]:
        return _checked_labels(labels)

    @model_validator(mode="after")
    def _timeout(self) -> "GlobalConfig":
        if self.scrape_timeout > (self.scrape_interval or 60.0):
            raise ValueError("scrape_timeout is greater than scrape_interval")
        return self


class ScrapeConfig(ClientConfig, Limits, SkippedDiscovery):
    """One of ``scrape_configs``. After ``load`` intervals and limits are those that hold."""

    job_name: Text = Field(min_length=1)
    scrape_interval: Duration = 0.0
    scrape_timeout: Duration = 0.0
    metrics_path: str = "/metrics"
    scheme: Literal["http", "https"] = "http"
    params: dict[Text, list[Text]] = Field(default_factory=dict)
    honor_labels: bool = False
    honor_timestamps: bool = True
    track_timestamps_staleness: bool = False
    enable_compression: bool = True
    fallback_scrape_protocol: Protocol_ | None = None
    native_histogram_bucket_limit: int = 0
    native_histogram_min_bucket_factor: float = 0.0
    static_configs: list[StaticConfig] = Field(default_factory=list)
    file_sd_configs: list[FileDiscovery] = Field(default_factory=list)
    http_sd_configs: list[HttpDiscovery] = Field(default_factory=list)
    relabel_configs: list[RelabelRule] = Field(default_factory=list)
    metric_relabel_configs: list[RelabelRule] = Field(default_factory=list)

    @model_validator(mode="after")
    def _addresses(self) -> "ScrapeConfig":
        """Without relabelling a target is an address; with it, it may be anything."""
        for group in () if self.relabel_configs else self.static_configs:
            for target in group.targets:
                if "/" in target:
                    raise ValueError(
                        f"{target!r} is not a valid hostname; use scheme and metrics_path"
                    )
        return self


class AlertingConfig(Section):
    """``alerting``: kept for whoever sends alerts."""

    alert_relabel_configs: list[RelabelRule] = Field(default_factory=list)
    alertmanagers: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("alertmanagers")
    @classmethod
    def _rules(cls, alertmanagers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for alertmanager in alertmanagers:
            for rules in ("relabel_configs", "alert_relabel_configs"):
                for rule in alertmanager.get(rules) or ():
                    RelabelRule.model_validate(rule)
        return alertmanagers


class PrometheusConfig(Section):
    """The whole file."""

    global_: GlobalConfig = Field(default=GlobalConfig(), alias="global")
    runtime: dict[str, Any] | None = None
    alerting: AlertingConfig = AlertingConfig()
    rule_files: list[str] = Field(default_factory=list)
    scrape_config_files: list[str] = Field(default_factory=list)
    scrape_configs: list[ScrapeConfig] = Field(default_factory=list)
    storage: dict[str, Any] | None = None
    tracing: dict[str, Any] | None = None
    remote_write: list[dict[str, Any]] | None = None
    remote_read: list[dict[str, Any]] | None = None
    otlp: dict[str, Any] | None = None

    @field_validator("global_", "alerting", mode="before")
    @classmethod
    def _empty_section(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("rule_files", "scrape_config_files")
    @classmethod
    def _patterns(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if not _RULE_FILE.fullmatch(path):
                raise ValueError(f"{path!r} may have * only in its last part")
        return paths


class _ScrapeConfigFile(Section):
    scrape_configs: list[ScrapeConfig] = Field(default_factory=list)


def load(text: str, source: str) -> tuple[PrometheusConfig, list[str]]:
    """Read a ``prometheus.yml``; ``source`` is its path, to which its paths are relative.

    Files of ``scrape_config_files`` are read as well. The list has a sentence for each part that
    is accepted and skipped.

    Raises:
        ConfigError: every fault with file, line and remedy.
    """
    config = document.load(text, source, PrometheusConfig)
    base = Path(source).parent
    jobs = [(job, base) for job in config.scrape_configs]
    jobs += _included(config, base)
    _no_duplicates(job for job, _ in jobs)
    resolved = [
        _with_global(_with_paths(job, place), config.global_, source) for job, place in jobs
    ]
    changes = {
        "scrape_configs": resolved,
        "rule_files": [resolve(base, path) for path in config.rule_files],
        "scrape_config_files": [resolve(base, path) for path in config.scrape_config_files],
    }
    warnings = [f"{source}: {warning}" for warning in _warnings(config, resolved)]
    return config.model_copy(update=changes), warnings


def matching(pattern: str) -> list[Path]:
    """The files that a path names whose last part may have ``*``, sorted."""
    path = Path(pattern)
    return sorted(path.parent.glob(path.name))


def _included(config: PrometheusConfig, base: Path) -> Iterator[tuple[ScrapeConfig, Path]]:
    for pattern in config.scrape_config_files:
        for path in matching(resolve(base, pattern)):
            try:
                text = path.read_text()
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
            for job in document.load(text, str(path), _ScrapeConfigFile).scrape_configs:
                yield job, path.parent


def _no_duplicates(jobs: Iterator[ScrapeConfig]) -> None:
    seen: set[str] = set()
    for job in jobs:
        if job.job_name in seen:
            raise ConfigError(f"more than one scrape config has the job name {job.job_name!r}")
        seen.add(job.job_name)


def _with_paths(job: ScrapeConfig, base: Path) -> ScrapeConfig:
    update = resolved_client(job, base)
    update["file_sd_configs"] = [
        sd.model_copy(update={"files": [resolve(base, path) for path in sd.files]})
        for sd in job.file_sd_configs
    ]
    update["http_sd_configs"] = [
        sd.model_copy(update=resolved_client(sd, base)) for sd in job.http_sd_configs
    ]
    return job.model_copy(update=update)


def _with_global(job: ScrapeConfig, defaults: GlobalConfig, source: str) -> ScrapeConfig:
    """What the job leaves open is as ``global`` says."""
    interval = job.scrape_interval or defaults.scrape_interval or 60.0
    if job.scrape_timeout > interval:
        raise ConfigError(
            f"{source}: scrape_timeout is greater than scrape_interval in job {job.job_name!r}"
        )
    timeout = job.scrape_timeout or min(defaults.scrape_timeout or 10.0, interval)
    update: dict[str, Any] = {"scrape_interval": interval, "scrape_timeout": timeout}
    for name in Limits.model_fields:
        if not getattr(job, name):
            update[name] = getattr(defaults, name)
    scheme = update.get("metric_name_validation_scheme", job.metric_name_validation_scheme)
    escaping = job.metric_name_escaping_scheme
    if scheme == "legacy" and not job.metric_name_validation_scheme:
        escaping = update.get("metric_name_escaping_scheme", escaping)
    if scheme == "legacy" and escaping == "allow-utf-8":
        raise ConfigError(
            f"{source}: job {job.job_name!r} asks for UTF-8 names and allows only legacy ones"
        )
    return job.model_copy(update=update)


def _warnings(config: PrometheusConfig, jobs: list[ScrapeConfig]) -> Iterator[str]:
    for section in ("remote_write", "remote_read", "storage", "tracing", "otlp", "runtime"):
        if getattr(config, section):
            yield f"{section} is not supported and is skipped"
    for job in jobs:
        for name in skipped_of(job):
            yield f"{name} of job {job.job_name!r} is not supported; its targets are not scraped"
        if job.oauth2 is not None and (what := job.oauth2.unsupported()):
            yield f"{what} of oauth2 of job {job.job_name!r} is not supported"
        if job.tls_config.cert or job.tls_config.key.get_secret_value():
            yield f"cert and key of job {job.job_name!r} must be files; they are not used"
        if _refers_to_secrets(job):
            yield f"references to a secret store of job {job.job_name!r} are not supported"
        if job.proxy_from_environment or job.no_proxy or job.proxy_connect_header:
            yield f"of the proxy settings of job {job.job_name!r} only proxy_url is used"
        for name in ("scrape_failure_log_file", "extra_scrape_metrics"):
            if getattr(job, name):
                yield f"{name} of job {job.job_name!r} is not supported and has no effect"
        if job.scrape_native_histograms or job.convert_classic_histograms_to_nhcb:
            yield f"native histograms of job {job.job_name!r} are not supported"


def _refers_to_secrets(job: ScrapeConfig) -> bool:
    sections = (job.tls_config, job.basic_auth, job.authorization)
    given = (name for section in sections if section for name in section.model_fields_set)
    return any(name.endswith("_ref") for name in given)


def _checked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        for part in (name, value):
            try:
                part.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{part!r} is not UTF-8") from None
        if not name:
            raise ValueError("a label has an empty name")
    return dict(labels)
