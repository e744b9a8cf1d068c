"""The configuration that is in force, as ``/api/v1/status/config`` and ``…/flags`` show it.

Without secrets: what a section holds as a secret, and what has the name of one where a section
takes anything, is ``<secret>``, as Prometheus writes it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from pynomaly.ingest.scrape.config import PrometheusConfig
from pynomaly.model.duration import Duration, format_duration
from pynomaly.server.sections import Configuration

SECRET = "<secret>"

_SECRET_NAME = re.compile(
    r"(^|[_-])(password|passphrase|passwd|credentials?|token|secrets?|authorization|cookie|dsn)$"
    r"|^key$|(^|[_-])(api|auth|private|secret|account|routing|service|integration)[_-]?key$"
    r"|^service_account$",
    re.IGNORECASE,
)
_LABELS = ("labels", "external_labels")  # what is a label is shown with every series
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]*@")
_DURATION_MARKS = frozenset(map(id, get_args(Duration)[1:]))
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def is_duration(field: FieldInfo) -> bool:
    """Whether a setting is written as ``5m`` and held as seconds."""
    return any(id(mark) in _DURATION_MARKS for mark in field.metadata)


def configuration_yaml(
    configuration: Configuration, prometheus: PrometheusConfig, external_labels: Mapping[str, str]
) -> str:
    """The sections of the configuration, and those of the ``prometheus.yml``, in one document.

    Both have ``global``, ``alerting`` and ``storage``, with different keys in them but for
    ``alerting.alertmanagers``, so that who reads a Prometheus's configuration finds what it looks
    for. What is not set is left out.
    """
    theirs, of_all = _plain(prometheus), prometheus.global_
    theirs["global"] |= {
        "scrape_timeout": format_duration(of_all.scrape_timeout or min(10, of_all.scrape_interval)),
        "evaluation_interval": format_duration(configuration.rules.evaluation_interval),
        "external_labels": dict(external_labels),
    }
    return _as_yaml(_merged(theirs, _plain(configuration)))


def section_yaml(section: BaseModel) -> str:
    """One section, without secrets and what is not set."""
    return _as_yaml(_plain(section))


def _as_yaml(data: Any) -> str:
    shown = _without_empty(data)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, default_flow_style=False)


def flags(configuration: Configuration, api_url: str, external_url: str) -> dict[str, str]:
    """Every setting under its dotted name, and those that Prometheus has under its names too."""
    ours = dict(_flat(_plain(configuration), ""))
    return dict(sorted({**ours, **_as_prometheus(configuration, api_url, external_url)}.items()))


def storage_retention(configuration: Configuration) -> str:
    """How long samples are kept, as Prometheus says it: ``90d or 10GiB``."""
    if configuration.prometheus.url is not None:
        return ""  # they are kept elsewhere
    samples = configuration.storage.samples
    parts = [format_duration(samples.retention_days * 86_400)]
    if samples.retention_bytes:
        parts.append(_size(samples.retention_bytes))
    return " or ".join(parts)


def alertmanagers(prometheus: PrometheusConfig) -> list[str]:
    """Where the Alertmanagers that a ``prometheus.yml`` names by address take alerts."""
    found = []
    for each in prometheus.alerting.alertmanagers:
        scheme, prefix = each.get("scheme", "http"), each.get("path_prefix", "").strip("/")
        path = f"/{prefix}/api/v2/alerts" if prefix else "/api/v2/alerts"
        for group in each.get("static_configs") or ():
            found += [f"{scheme}://{target}{path}" for target in group.get("targets") or ()]
    return found


def _as_prometheus(configuration: Configuration, api_url: str, external_url: str) -> dict[str, str]:
    query, samples = configuration.query, configuration.storage.samples
    here = configuration.prometheus.url is None
    config_file = configuration.components.metrics.config_file
    return {
        "config.file": str(config_file or ""),
        "log.level": configuration.logging.level.lower(),
        "query.lookback-delta": format_duration(query.lookback),
        "query.max-concurrency": str(query.max_queries),
        "query.max-samples": str(query.max_samples),
        "query.timeout": format_duration(query.timeout),
        "storage.tsdb.path": str(configuration.server.data_dir) if here else "",
        "storage.tsdb.retention.size": _size(samples.retention_bytes) if here else "0B",
        "storage.tsdb.retention.time": format_duration(samples.retention_days * 86_400)
        if here
        else "0s",
        "web.enable-admin-api": str(configuration.server.enable_admin_api).lower(),
        "web.enable-lifecycle": "true",
        "web.enable-remote-write-receiver": "true",
        "web.external-url": external_url,
        "web.listen-address": urlsplit(api_url).netloc,
    }


def _plain(value: Any, name: str = "") -> Any:
    """Mappings, lists, texts, numbers and truth values; ``name`` is the key it stands under."""
    if isinstance(value, SecretStr):
        return SECRET if value.get_secret_value() else ""
    if isinstance(value, BaseModel):
        return {
            field.alias or key: _of_field(getattr(value, key), key, field)
            for key, field in type(value).model_fields.items()
        }
    if value and _SECRET_NAME.search(name) and not isinstance(value, bool):
        return SECRET
    if isinstance(value, Mapping) and name in _LABELS:
        return dict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _PASSWORD.sub(rf"\1:{SECRET}@", str(value))


def _of_field(value: Any, key: str, field: FieldInfo) -> Any:
    if is_duration(field) and isinstance(value, (int, float)):
        return format_duration(value)
    # What a section does not hold as a secret is none, whatever its name.
    return _plain(value, key if isinstance(value, Mapping) else "")


def _merged(theirs: Any, ours: Any) -> Any:
    if isinstance(theirs, list) and isinstance(ours, list):
        return [*theirs, *ours]  # alerting.alertmanagers, which mean the same in both
    if not (isinstance(theirs, dict) and isinstance(ours, dict)):
        return ours
    both = {key: _merged(theirs[key], ours[key]) if key in ours else theirs[key] for key in theirs}
    return {**both, **{key: item for key, item in ours.items() if key not in theirs}}


def _without_empty(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item not in (None, "", [], {})}


def _flat(section: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        texts = [item if isinstance(item, str) else json.dumps(item) for item in value]
        return ",".join(texts)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _size(count: int) -> str:
    """Bytes in the largest unit that divides them: ``512MiB``."""
    power = 0
    while count and count % 1024 == 0 and power < len(_UNITS) - 1:
        count, power = count // 1024, power + 1
    return f"{count}{_UNITS[power]}"
