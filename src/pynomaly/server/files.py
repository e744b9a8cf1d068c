"""The files that the configuration names: what to scrape, and by which rules to judge."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.defaults import default_config, elsewhere_config
from pynomaly.alerting.alertmanager.load import load_alertmanager, remarks_on
from pynomaly.alerting.cluster.config import ClusterConfig, blocks_of
from pynomaly.ingest.scrape.config import PrometheusConfig
from pynomaly.ingest.scrape.config import load as load_prometheus_config
from pynomaly.model.document import ConfigError
from pynomaly.rules.config import RuleGroup, load_rules
from pynomaly.rules.defaults import default_groups
from pynomaly.server.sections import Configuration


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """What stands in them; ``warnings`` name what is accepted without effect."""

    prometheus: PrometheusConfig
    alertmanager: AlertmanagerConfig
    cluster: ClusterConfig
    rule_groups: Sequence[RuleGroup]
    warnings: Sequence[str]


def load_named_files(configuration: Configuration) -> NamedFiles:
    """Read the prometheus.yml, the alertmanager.yml, the rule files that are named, the defaults.

    Raises:
        ConfigError: with file, line and fault of the first file that cannot be used.
    """
    prometheus, warnings = _prometheus(configuration.components.metrics.config_file)
    groups = default_groups(configuration.rules.defaults)
    patterns = [*map(str, configuration.rules.rule_files), *prometheus.rule_files]
    cluster = _cluster(configuration, prometheus)
    if (routing := configuration.components.alerting.config_file) is not None:
        warnings += remarks_on(routing)
    warnings += _unused(configuration, prometheus, cluster)
    for path in _matching(patterns):
        groups += load_rules(_read(path), str(path))
    routes = elsewhere_config() if cluster else alertmanager_config(configuration)
    return NamedFiles(prometheus, routes, cluster, groups, warnings)


def _prometheus(path: Path | None) -> tuple[PrometheusConfig, list[str]]:
    if path is None:
        return PrometheusConfig(), []
    return load_prometheus_config(_read(path), str(path))


def alertmanager_config(configuration: Configuration) -> AlertmanagerConfig:
    """The alertmanager.yml that is named, or what the settings of channels make.

    Raises:
        ConfigError: it cannot be used.
    """
    path = configuration.components.alerting.config_file
    if path is None:
        return default_config(configuration.integrations, configuration.alerting)
    return load_alertmanager(path)


def _cluster(configuration: Configuration, prometheus: PrometheusConfig) -> ClusterConfig:
    """The Alertmanagers that alerts go to, under the labels and rules of the prometheus.yml.

    Raises:
        ConfigError: one of the prometheus.yml cannot be used.
    """
    settings, theirs = configuration.alerting, prometheus.alerting
    blocks = list(settings.alertmanagers)
    path = configuration.components.metrics.config_file
    if settings.prometheus_alertmanagers and path is not None:
        try:
            blocks += blocks_of(theirs.alertmanagers, path.parent)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "a section"
            text = f"{path}: alerting.alertmanagers: {where}: {first['msg']}"
            raise ConfigError(text) from None  # the cause may hold secrets
    return ClusterConfig(
        blocks=tuple(blocks),
        external_labels={
            **prometheus.global_.external_labels,
            **configuration.rules.external_labels,
        },
        alert_relabel_configs=tuple(theirs.alert_relabel_configs),
        queue_capacity=settings.alertmanager_queue_capacity,
    )


def _unused(
    configuration: Configuration, prometheus: PrometheusConfig, cluster: ClusterConfig
) -> list[str]:
    """What is written down about who is told, and has no effect."""
    settings = configuration.alerting
    found = []
    if prometheus.alerting.alertmanagers and not settings.prometheus_alertmanagers:
        found.append(
            f"{configuration.components.metrics.config_file}: its alerting.alertmanagers are sent "
            "no alerts; alerting.prometheus_alertmanagers: true changes that"
        )
    if not cluster:
        return found
    elsewhere = "has no effect, since alerting.alertmanagers route and deliver"
    if configuration.components.alerting.config_file is not None:
        found.append(f"components.alerting.config_file {elsewhere}")
    if settings.webhook is not None:
        found.append(f"alerting.webhook {elsewhere}")
    if configuration.integrations.tells_somebody():
        found.append(f"what integrations says of channels {elsewhere}")
    return found


def _matching(patterns: Iterable[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - also absolute ones
        if not paths and not glob.has_magic(pattern):
            raise ConfigError(f"{pattern} does not exist.", hint="It is named as a rule file.")
        found.update(dict.fromkeys(map(Path, paths)))
    return list(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text.") from error
