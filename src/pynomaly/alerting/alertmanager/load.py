"""Reads ``alertmanager.yml``."""

from collections.abc import Iterable
from pathlib import Path

from pynomaly.alerting.alertmanager.checks import Fault, faults
from pynomaly.alerting.alertmanager.completion import complete
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.remarks import remarks
from pynomaly.alerting.alertmanager.templates import load_templates
from pynomaly.model.document import ConfigError, TextLoader, line_of, load, parse


def load_alertmanager(path: Path) -> AlertmanagerConfig:
    """Read a file; relative paths in it start at its folder.

    Raises:
        ConfigError: it cannot be read, or says what Alertmanager would refuse; every fault found
            is in the message, one a line.
    """
    return parse_alertmanager(read(path), str(path), path.parent)


def read(path: Path) -> str:
    """The text of a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error


def parse_alertmanager(
    text: str, source: str, folder: Path, *, templates: bool = True
) -> AlertmanagerConfig:
    """Read a document. ``source`` is its name in messages; relative paths start at ``folder``.

    ``templates``: whether the files of templates that it names must be good, too.

    Raises:
        ConfigError: as ``load_alertmanager``.
    """
    config, found = complete(load(text, source, AlertmanagerConfig, loader=TextLoader), folder)
    found += faults(config)
    if found:
        raise ConfigError("\n".join(_lines(text, source, found)))
    if templates:
        load_templates(config)
    return config


def remarks_on(path: Path) -> list[str]:
    """What the author of a file that can be used should know, one line each.

    Raises:
        ConfigError: it cannot be used.
    """
    text = read(path)
    config = parse_alertmanager(text, str(path), path.parent)
    _, document = parse(text, str(path), TextLoader)
    return _lines(text, str(path), remarks(config, document))


def _lines(text: str, source: str, found: Iterable[Fault]) -> list[str]:
    """Faults with their lines, in their order."""
    node, _ = parse(text, source, TextLoader)
    lines = sorted((line_of(node, fault.place), fault.message) for fault in found)
    return [f"{source}:{line}: {message}" for line, message in lines]
