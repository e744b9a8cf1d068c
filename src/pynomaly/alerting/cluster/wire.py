"""Alerts and silences in the JSON of Alertmanager's API v2, as one of its clients."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pynomaly.alerting.alertmanager.wire import moment, read_matcher, show_matcher
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.rules_feed import SOURCE as RULES
from pynomaly.alerting.silences.silence import Silence
from pynomaly.ingest.scrape.relabel import RelabelRule, relabel
from pynomaly.model.errors import BadInput


def outgoing_labels(
    alert: ReceivedAlert, external: Mapping[str, str], rules: Sequence[RelabelRule]
) -> dict[str, str] | None:
    """The labels under which an alert goes out; None if it is dropped.

    External labels are for our own alerts: those that others sent us have theirs already.
    """
    labels = dict(alert.labels.pairs)
    if alert.source == RULES:
        labels |= {name: value for name, value in external.items() if not labels.get(name)}
    if rules and not relabel(rules, labels):
        return None
    return labels


def postable_alert(alert: ReceivedAlert, labels: Mapping[str, str]) -> dict[str, Any]:
    """A ``postableAlert``."""
    return {
        "labels": labels,
        "annotations": dict(alert.annotations.pairs),
        "startsAt": moment(alert.starts_at),
        "endsAt": moment(alert.ends_at),
        "generatorURL": alert.generator_url,
    }


def postable_silence(silence: Silence) -> dict[str, Any]:
    """A ``postableSilence``."""
    return {
        **({"id": silence.id} if silence.id else {}),
        "matchers": [show_matcher(matcher) for matcher in silence.matchers],
        "startsAt": moment(silence.starts_at),
        "endsAt": moment(silence.ends_at),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    }


def gettable_silence(document: Mapping[str, Any]) -> Silence:
    """The silence of a ``gettableSilence``.

    Raises:
        BadInput: it is none.
    """
    try:
        return Silence(
            matchers=tuple(read_matcher(each) for each in document["matchers"]),
            starts_at=_seconds(document["startsAt"]),
            ends_at=_seconds(document["endsAt"]),
            created_by=str(document.get("createdBy", "")),
            comment=str(document.get("comment", "")),
            annotations=dict(document.get("annotations") or {}),
            id=str(document["id"]),
            updated_at=_seconds(document["updatedAt"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"this is no silence of Alertmanager's: {error!r}") from error


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
