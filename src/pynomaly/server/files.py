"""The files that the configuration names: what to scrape, and by which rules to judge."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.defaults import default_config
from pynomaly.alerting.alertmanager.load import load_alertmanager, remarks_on
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
    if (routing := configuration.components.alerting.config_file) is not None:
        warnings += remarks_on(routing)
    for path in _matching(patterns):
        groups += load_rules(_read(path), str(path))
    return NamedFiles(prometheus, alertmanager_config(configuration), groups, warnings)


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
