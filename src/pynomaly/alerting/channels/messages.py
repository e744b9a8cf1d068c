"""Texts of notifications: what templates see of one, and the templates that ship."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import resources
from typing import Any, TypeVar

import orjson
import yaml

from pynomaly.alerting.contract import Notification
from pynomaly.gotemplate.alertmanager import KV, Alert, Alerts, Data, MessageTemplates
from pynomaly.gotemplate.times import Time, moment
from pynomaly.model.alert import Alert as ModelAlert
from pynomaly.model.alert import AlertState
from pynomaly.model.clock import Clock
from pynomaly.model.document import TextLoader, untyped
from pynomaly.model.labels import Labels

_SHIPPED = "default.tmpl"
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_CUT = "…"
_MANY = 20
_MOST_AFTER_A_FAILURE = 100

Made = TypeVar("Made")


def shipped_templates() -> MessageTemplates:
    """Templates with the texts that ship, under the names that users' files refer to."""
    templates = MessageTemplates()
    source = resources.files(__package__).joinpath(_SHIPPED).read_text(encoding="utf-8")
    templates.add(_SHIPPED, source)
    return templates


class Messages:
    """Renders what channels say. ``external_url``: where people reach this product."""

    def __init__(self, templates: MessageTemplates, external_url: str, clock: Clock) -> None:
        self._templates = templates
        self.external_url = external_url
        self._clock = clock

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock.now()

    def of(self, notification: Notification) -> "Message":
        """The texts of one notification, all as of now."""
        data = message_data(notification, self.external_url)
        return Message(self._templates, data, moment(self._clock.now()))


class Message:
    """Renders the texts of one notification; each method may raise TemplateError."""

    def __init__(self, templates: MessageTemplates, data: Data, at: Time) -> None:
        self._templates = templates
        self.data = data
        self._at = at

    async def made(self, make: Callable[[], Made]) -> Made:
        """What ``make`` renders; for many alerts in a worker thread, since it takes a while."""
        return await asyncio.to_thread(make) if len(self.data.alerts) > _MANY else make()

    def text(self, template: str) -> str:
        """As text."""
        if "{{" not in template:  # most of the texts of a section
            return template
        return self._templates.text(template, self.data, self._at)

    def html(self, template: str) -> str:
        """As HTML."""
        return self._templates.html(template, self.data, self._at)

    def deep(self, value: Any) -> Any:
        """A value whose texts, at any depth, are rendered; one that reads as YAML becomes it.

        So ``"{{ .Alerts.Firing | toJson }}"`` becomes a list, and ``"{{ len .Alerts }}"`` a
        number, as Alertmanager has it.
        """
        return _deep(value, self.text, _as_yaml)

    def texts(self, value: Any) -> Any:
        """A value whose texts, at any depth, are rendered, and stay texts."""
        return _deep(value, self.text, str)


def _deep(value: Any, render: Callable[[str], str], last: Callable[[str], Any]) -> Any:
    if isinstance(value, dict):
        pairs = ((key, item) for key, item in value.items() if isinstance(key, str))
        return {render(key): _deep(item, render, last) for key, item in pairs}
    if isinstance(value, list):
        return [_deep(item, render, last) for item in value]
    return last(render(value)) if isinstance(value, str) else value


def _as_yaml(text: str) -> Any:
    if text.startswith(("[", "{")):  # JSON is YAML, and much faster
        with contextlib.suppress(ValueError):
            return orjson.loads(text)
    try:
        found = untyped(yaml.load(text, TextLoader))
    except yaml.YAMLError:
        return text
    return text if isinstance(found, str) else found


def fewer(notification: Notification) -> Notification | None:
    """The notification with its first alerts, those that fire before others; None if it has few.

    Texts of very many alerts may be more than a template may write. Then it is better to say the
    first of them than nothing.
    """
    if len(notification.alerts) <= _MOST_AFTER_A_FAILURE:
        return None
    firing_first = sorted(notification.alerts, key=lambda a: a.state is not AlertState.FIRING)
    kept = tuple(firing_first[:_MOST_AFTER_A_FAILURE])
    left_out = notification.truncated + len(notification.alerts) - len(kept)
    return replace(notification, alerts=kept, truncated=left_out)


def message_data(notification: Notification, external_url: str) -> Data:
    """What the templates of a notification see."""
    alerts = notification.alerts
    return Data(
        receiver=quote_meta(notification.receiver),
        status=notification.status,
        alerts=Alerts(_alert(alert) for alert in alerts),
        notification_reason=notification.reason,
        group_labels=KV(notification.group_labels),
        common_labels=common(alert.labels for alert in alerts),
        common_annotations=common(alert.annotations for alert in alerts),
        route_labels=KV(notification.route_labels),
        external_url=external_url,
        route_labels_rendered=True,
    )


def quote_meta(name: str) -> str:
    """A name as Alertmanager shows receivers: what means something in a regex is escaped."""
    return _META.sub(r"\\\g<0>", name)


def common(sets: Iterable[Labels]) -> KV:
    """What all label sets share."""
    found = [labels.pairs for labels in sets]
    return KV(sorted(set(found[0]).intersection(*found[1:]))) if found else KV()


def _alert(alert: ModelAlert) -> Alert:
    fires = alert.state is AlertState.FIRING
    return Alert(
        status="firing" if fires else "resolved",
        labels=KV(alert.labels),
        annotations=KV(alert.annotations),
        starts_at=moment(alert.fired_at or alert.active_at),
        ends_at=Time() if fires else moment(alert.resolved_at),
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters; where some are left out, the last is an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + _CUT
