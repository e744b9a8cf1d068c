"""Reads ``alertmanager.yml``."""

from pathlib import Path

from pynomaly.alerting.alertmanager.checks import faults
from pynomaly.alerting.alertmanager.completion import complete
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.model.document import ConfigError, TextLoader, line_of, load, parse


def load_alertmanager(path: Path) -> AlertmanagerConfig:
    """Read a file; relative paths in it start at its folder.

    Raises:
        ConfigError: it cannot be read, or says what Alertmanager would refuse; every fault found
            is in the message, one a line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    return parse_alertmanager(text, str(path), path.parent)


def parse_alertmanager(text: str, source: str, folder: Path) -> AlertmanagerConfig:
    """Read a document. ``source`` is its name in messages; relative paths start at ``folder``.

    Raises:
        ConfigError: as ``load_alertmanager``.
    """
    config, found = complete(load(text, source, AlertmanagerConfig, loader=TextLoader), folder)
    found += faults(config)
    if found:
        node, _ = parse(text, source, TextLoader)
        lines = sorted((line_of(node, fault.place), fault.message) for fault in found)
        raise ConfigError("\n".join(f"{source}:{line}: {message}" for line, message in lines))
    return config
