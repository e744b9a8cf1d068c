"""Alertmanager's JSON: how alerts and silences are written and read."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pynomaly.alerting.alertmanager.wire import moment, read_matcher, show_matcher
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.silences.silence import Silence
from pynomaly.model.alert import fingerprint
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels

SOURCE = "POST /api/v2/alerts"


def read_moment(value: object, name: str) -> float:
    """Epoch seconds of an RFC 3339 text; 0 where it is absent or Go's zero time.

    Raises:
        BadInput: it is neither.
    """
    if value is None or value == "":
        return 0.0
    try:
        if not isinstance(value, str):
            raise TypeError
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name}: {value!r} is not a time such as 2030-01-31T12:00:00Z") from error
    if found.year <= 1:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


Known = Callable[[str], ReceivedAlert | None]
"""The alert of a fingerprint, if there is one: what is sent again shares its labels."""


def read_alerts(
    document: object, now: float, resolve_timeout: float, known: Known = lambda _: None
) -> tuple[list[ReceivedAlert], list[str]]:
    """The alerts of a body, and what is wrong with those that cannot be taken.

    Raises:
        BadInput: the body is not a list of objects.
    """
    if not isinstance(document, list):
        raise BadInput("a list of alerts is expected")
    alerts, faults = [], []
    for item in document:
        try:
            alerts.append(_alert(item, now, resolve_timeout, known))
        except BadInput as error:
            faults.append(error.message)
    return alerts, faults


def _alert(item: object, now: float, resolve_timeout: float, known: Known) -> ReceivedAlert:
    if not isinstance(item, dict):
        raise BadInput("an alert is an object with labels")
    pairs = _pairs(item.get("labels"), "labels")
    if not pairs:
        raise BadInput("at least one label pair required")
    starts_at = read_moment(item.get("startsAt"), "startsAt")
    ends_at = read_moment(item.get("endsAt"), "endsAt")
    starts_at = starts_at or ends_at or now
    if ends_at and ends_at < starts_at:
        raise BadInput("start time must be before end time")
    labels = Labels.from_sorted(pairs)
    identity = fingerprint(labels)
    before = known(identity)
    annotations = _pairs(item.get("annotations"), "annotations")
    same = before is not None and before.annotations.pairs == annotations
    return ReceivedAlert(
        labels=_once_each(pairs) if before is None else before.labels,
        annotations=before.annotations if before and same else Labels.from_sorted(annotations),
        starts_at=starts_at,
        ends_at=ends_at or now + resolve_timeout,
        updated_at=now,
        fingerprint=identity,
        timeout=not ends_at,
        generator_url=str(item.get("generatorURL") or ""),
        source=SOURCE,
    )


def _pairs(value: object, what: str) -> tuple[tuple[str, str], ...]:
    """The pairs of a label set, sorted, without those that are empty."""
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise BadInput(f"{what}: an object of texts is expected")
    for name, text in value.items():
        if not isinstance(text, str):
            raise BadInput(f"{what}: the value of {name!r} is not a text")
        if not name:
            raise BadInput(f"invalid {what}: invalid name {name!r}")
    pairs = sorted(value.items())
    return tuple(pairs) if all(value.values()) else tuple(pair for pair in pairs if pair[1])


def _once_each(pairs: tuple[tuple[str, str], ...]) -> Labels:
    """A label set whose texts are in memory once, however many alerts have them."""
    return Labels.from_sorted(tuple((sys.intern(n), sys.intern(v)) for n, v in pairs))


@dataclass(frozen=True, slots=True)
class Blame:
    """What holds an alert back: ids of silences, fingerprints of alerts, names of times."""

    silenced_by: Sequence[str] = ()
    inhibited_by: Sequence[str] = ()
    muted_by: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.silenced_by or self.inhibited_by or self.muted_by)


def show_alert(alert: ReceivedAlert, receivers: Iterable[str], blame: Blame) -> dict[str, Any]:
    """A ``gettableAlert``."""
    return {
        "annotations": dict(alert.annotations.pairs),
        "endsAt": moment(alert.ends_at),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in receivers],
        "startsAt": moment(alert.starts_at),
        "status": {
            "inhibitedBy": list(blame.inhibited_by),
            "mutedBy": list(blame.muted_by),
            "silencedBy": list(blame.silenced_by),
            "state": "suppressed" if blame else "active",
        },
        "updatedAt": moment(alert.updated_at),
        "generatorURL": alert.generator_url,
        "labels": dict(alert.labels.pairs),
    }


def show_silence(silence: Silence, now: float) -> dict[str, Any]:
    """A ``gettableSilence``."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now).value},
        "updatedAt": moment(silence.updated_at),
        "annotations": dict(silence.annotations),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": moment(silence.ends_at),
        "matchers": [show_matcher(matcher) for matcher in silence.matchers],
        "startsAt": moment(silence.starts_at),
    }


def read_silence(document: object) -> Silence:
    """A ``postableSilence``; what is missing is said in Alertmanager's words.

    Raises:
        BadInput: it is not one.
    """
    if not isinstance(document, dict):
        raise BadInput("a silence is an object")
    for name in ("matchers", "startsAt", "endsAt", "createdBy", "comment"):
        if document.get(name) is None:
            raise BadInput(f"silence.{name} in body is required")
    matchers = document["matchers"]
    if not isinstance(matchers, list):
        raise BadInput("silence.matchers in body must be a list")
    return Silence(
        matchers=tuple(read_matcher(matcher) for matcher in matchers),
        starts_at=read_moment(document["startsAt"], "startsAt"),
        ends_at=read_moment(document["endsAt"], "endsAt"),
        created_by=_text(document, "createdBy"),
        comment=_text(document, "comment"),
        annotations=dict(_pairs(document.get("annotations"), "annotations")),
        id=_text(document, "id"),
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name) or ""
    if not isinstance(value, str):
        raise BadInput(f"silence.{name} in body must be a text")
    return value
