"""Renders what receivers would be told of an example, to find templates that fail.

Alertmanager takes any text into its configuration; a template that fails is found when somebody
should be told.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.channels.messages import message_data
from pynomaly.alerting.contract import Notification
from pynomaly.gotemplate.alertmanager import Data, MessageTemplates
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.times import moment
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.document import Path, Section
from pynomaly.model.labels import Labels

_AT = 1_767_225_600.0
_HTML = frozenset({"html"})
"""Fields that are rendered as HTML."""


def failing_texts(
    config: AlertmanagerConfig, templates: MessageTemplates
) -> Iterator[tuple[Path, str]]:
    """Where a text that was written for a receiver cannot be rendered, and why."""
    data = _example()
    for index, receiver in enumerate(config.written.receivers):
        for place, text in _texts(("receivers", index), receiver):
            render = templates.html if place[-1] in _HTML else templates.text
            try:
                render(text, data, moment(_AT))
            except TemplateError as error:
                yield place, str(error)


def _texts(place: Path, value: Any) -> Iterator[tuple[Path, str]]:
    """The templates in a value at any depth; secrets are none."""
    if isinstance(value, str):
        if "{{" in value:
            yield place, value
    elif isinstance(value, Section):
        for name in value.model_fields_set:
            key = type(value).model_fields[name].alias or name
            yield from _texts((*place, key), getattr(value, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts((*place, key), item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts((*place, index), item)


def _example() -> Data:
    """Two alerts: one fires, one was resolved."""
    labels = Labels({"alertname": "Example", "severity": "warning"})
    annotations = Labels({"summary": "An example", "description": "Nothing is wrong."})
    alerts = (
        Alert(
            labels=labels.with_(instance="a"),
            annotations=annotations,
            state=AlertState.FIRING,
            value=1.0,
            active_at=_AT - 600,
            fired_at=_AT - 300,
        ),
        Alert(
            labels=labels.with_(instance="b"),
            annotations=annotations,
            state=AlertState.INACTIVE,
            value=1.0,
            active_at=_AT - 600,
            fired_at=_AT - 300,
            resolved_at=_AT - 60,
        ),
    )
    notification = Notification("example", "{}:{}", labels, alerts, at=_AT)
    return message_data(notification, "http://127.0.0.1:8080")
