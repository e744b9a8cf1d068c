"""Reads the configuration: options over environment over file over defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pynomaly.access.gate import check_binding
from pynomaly.model.document import ConfigError, load
from pynomaly.model.document import Path as DocumentPath
from pynomaly.server import environment
from pynomaly.server.environment import OPTIONS, SettingPath
from pynomaly.server.sections import DEFAULT_FILE, Configuration, replaced, reserved_in_use

__all__ = ["DEFAULT_FILE", "Configuration", "Note", "load_configuration"]

_RELATIVE_TO_FILE: tuple[SettingPath, ...] = (
    ("components", "metrics", "config_file"),
    ("components", "alerting", "config_file"),
    ("rules", "rule_files"),
    ("access", "token_file"),
    ("access", "password_file"),
    ("prometheus", "password_file"),
    ("prometheus", "bearer_token_file"),
    ("prometheus", "header_files"),
    ("prometheus", "ca_file"),
    ("prometheus", "cert_file"),
    ("prometheus", "key_file"),
)

# What is given in one form replaces the other form of a lower source.
_SAME_THING: Mapping[SettingPath, SettingPath] = {
    ("access", "token"): ("access", "token_file"),
    ("access", "token_file"): ("access", "token"),
    ("access", "password"): ("access", "password_file"),
    ("access", "password_file"): ("access", "password"),
    ("prometheus", "password"): ("prometheus", "password_file"),
    ("prometheus", "password_file"): ("prometheus", "password"),
    ("prometheus", "bearer_token"): ("prometheus", "bearer_token_file"),
    ("prometheus", "bearer_token_file"): ("prometheus", "bearer_token"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """What ``config check`` tells besides errors. ``where`` is a setting or a variable."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(slots=True)
class _Overlay:
    values: dict[DocumentPath, Any] = field(default_factory=dict)
    origins: dict[DocumentPath, str] = field(default_factory=dict)

    def set(self, path: SettingPath, value: Any, origin: str) -> None:
        if (other := _SAME_THING.get(path)) and other not in self.values:
            self.values[other] = None
        self.values[path] = value
        self.origins[path] = origin


def load_configuration(
    path: Path | None, environ: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[Configuration, list[Note]]:
    """Read the configuration, and say what of it has no effect.

    Without ``path``, ``config/advanced_monitoring.yml`` is read if it is there. ``options`` are
    those of ``environment.OPTIONS`` by name; one that is None is not given.

    Raises:
        ConfigError: a file that cannot be read, an unknown key, or a wrong value: each fault in
            one line, with file and line, or the variable or option.
        InsecureBinding: it would let anyone in the network in.
    """
    source = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    text = _read(source) if source else ""
    overlay = _overlay(environ, options)
    configuration = load(
        text,
        str(source or "the defaults"),
        Configuration,
        overlay=overlay.values,
        origins=overlay.origins,
    )
    if source is not None:
        configuration = _anchored(configuration, source.parent, overlay.values)
    configuration = _with_retention(configuration)
    check_binding(configuration.server.host, configuration.access)
    return configuration, list(_notes(configuration, environ, overlay.origins))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist.", hint="Give another with --config.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text.") from error


def _overlay(environ: Mapping[str, str], options: Mapping[str, Any]) -> _Overlay:
    overlay = _Overlay()
    for variable, value in environment.given(environ):
        overlay.set(variable.path, value, variable.name)
    for option, value in options.items():
        if value is not None:
            overlay.set(OPTIONS[option], value, environment.flag(option))
    return overlay


def _anchored(
    configuration: Configuration, folder: Path, overlay: Mapping[DocumentPath, Any]
) -> Configuration:
    """Let relative paths of the file start at its folder, as Prometheus does."""
    for path in _RELATIVE_TO_FILE:
        value: Any = configuration
        for name in path:
            value = getattr(value, name)
        if path in overlay or not value:
            continue
        configuration = replaced(configuration, path, _moved(folder, value))
    sections = tuple(each.located(folder) for each in configuration.alerting.alertmanagers)
    return replaced(configuration, ("alerting", "alertmanagers"), sections)


def _moved(folder: Path, value: Any) -> Any:
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, Mapping):
        return {name: folder / path for name, path in value.items()}
    return tuple(folder / path for path in value)


def _with_retention(configuration: Configuration) -> Configuration:
    if "retention_days" in configuration.storage.samples.model_fields_set:
        return configuration
    days = float(configuration.global_.data_retention_days)
    return replaced(configuration, ("storage", "samples", "retention_days"), days)


def _notes(
    configuration: Configuration, environ: Mapping[str, str], origins: Mapping[DocumentPath, str]
) -> Iterator[Note]:
    names = {".".join(map(str, path)): origin for path, origin in origins.items()}
    for setting in reserved_in_use(configuration):
        yield Note(names.get(setting, setting), "accepted, takes effect with a later version")
    for name, near in environment.unknown(environ):
        hint = f"; did you mean {near}?" if near else ""
        yield Note(name, f"not known, so it has no effect{hint}")
