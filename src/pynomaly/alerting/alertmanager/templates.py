"""The files that ``templates`` names."""

import glob
from pathlib import Path

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.channels.messages import shipped_templates
from pynomaly.gotemplate.alertmanager import MessageTemplates
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.model.document import ConfigError


def load_templates(config: AlertmanagerConfig) -> MessageTemplates:
    """The templates that ship, and those of the files; a pattern need not match any.

    Raises:
        ConfigError: a file that cannot be read, or is not a template.
    """
    templates = shipped_templates()
    for pattern in config.templates:
        for name in sorted(glob.glob(pattern)):  # noqa: PTH207 - also absolute ones
            _add(templates, Path(name))
    return templates


def _add(templates: MessageTemplates, path: Path) -> None:
    try:
        templates.add(path.name, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not UTF-8 text") from error
    except TemplateError as error:
        raise ConfigError(f"{path}: {error}") from error
