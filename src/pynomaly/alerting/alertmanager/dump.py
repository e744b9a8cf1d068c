"""A configuration as text, the way Alertmanager's API shows it: without its secrets."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import SecretStr

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.intervals import WEEKDAYS, Range, TimeInterval
from pynomaly.alerting.alertmanager.matchers import matcher_text
from pynomaly.alerting.channels.config import ChannelConfig
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.model.document import Section
from pynomaly.model.duration import format_duration
from pynomaly.model.matcher import Matcher

HIDDEN = "<secret>"
"""What stands in place of a secret."""

_HIDDEN_URL = f"http://{HIDDEN}"
"""Of webhooks: older versions of amtool refuse ``<secret>`` there, which is no address."""


def as_yaml(config: AlertmanagerConfig) -> str:
    """What is configured, as ``alertmanager.yml``: without defaults, and ``<secret>`` for secrets.

    It is what was written, so that any ``amtool`` reads it that reads the file.
    """
    return yaml.safe_dump(_section(config.written), sort_keys=False, allow_unicode=True)


def _section(section: Section) -> dict[str, Any]:
    """The fields that differ from their defaults, by the names that the file has for them."""
    found = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if not field.is_required() and value == field.get_default(call_default_factory=True):
            continue
        plain = _plain(value)
        if isinstance(value, float):
            # The sections of channels have Go's durations, which know no days.
            days = not isinstance(section, ChannelConfig)
            plain = format_duration(value) if days else f"{value:g}s"
        if plain == HIDDEN and isinstance(section, WebhookConfig) and name == "url":
            plain = _HIDDEN_URL
        if plain != {} or not isinstance(value, Section):
            found[field.alias or name] = plain
    return found


def _plain(value: Any) -> Any:
    match value:
        case SecretStr():
            return HIDDEN if value.get_secret_value() else ""
        case TimeInterval():
            return _interval(value)
        case Section():
            return _section(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case (Matcher(), *_):
            return ",".join(matcher_text(matcher) for matcher in value)
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _interval(interval: TimeInterval) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if interval.times is not None:
        found["times"] = [
            {"start_time": _clock(part.start_time), "end_time": _clock(part.end_time)}
            for part in interval.times
        ]
    if interval.weekdays is not None:
        found["weekdays"] = [
            f"{WEEKDAYS[days.first]}:{WEEKDAYS[days.last]}" for days in interval.weekdays
        ]
    for name in ("days_of_month", "months", "years"):
        ranges: Iterable[Range] | None = getattr(interval, name)
        if ranges is not None:
            found[name] = [f"{part.first}:{part.last}" for part in ranges]
    if "location" in interval.model_fields_set:
        found["location"] = interval.location
    return found


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
