"""Anomalies as JSON, for the API and the pages. Times are epoch seconds."""

from dataclasses import asdict
from typing import Any

from pynomaly.detection.events import Anomaly, trained_by
from pynomaly.detection.explanation import EventExplanation, Explanation, Related
from pynomaly.detection.joint import Event
from pynomaly.detection.lessons import Alike
from pynomaly.detection.preceding import Preceding, in_words

Document = dict[str, Any]


def anomaly_document(anomaly: Anomaly) -> Document:
    """An anomaly; ``ended_at`` is null while it lasts, ``feedback`` until a person gave it."""
    return {
        "id": anomaly.id,
        "metric_name": anomaly.metric,
        "labels": dict(anomaly.labels.items()),
        "service": anomaly.service,
        "severity": anomaly.severity.value,
        "started_at": anomaly.started_at,
        "peaked_at": anomaly.peaked_at,
        "ended_at": anomaly.ended_at or None,
        "score": anomaly.score,
        "confidence": anomaly.confidence,
        "value": anomaly.value,
        "expected": anomaly.expected,
        "lower": anomaly.lower,
        "upper": anomaly.upper,
        "direction": anomaly.direction,
        "cause": anomaly.cause,
        "watched_query": anomaly.watched or None,
        "algorithms": trained_by(anomaly.cause),
        "explanation": anomaly.explanation,
        "feedback": anomaly.feedback or None,
        "told": anomaly.told,
        "event": anomaly.group_id or anomaly.id,
        "siblings": _siblings(anomaly),
        "together": anomaly.together or None,
    }


def _siblings(anomaly: Anomaly) -> Document | None:
    """Which of its siblings it is, how many others there are, and the median of all."""
    if not anomaly.siblings:
        return None
    return {
        "which": anomaly.peer,
        "others": anomaly.siblings,
        "median": anomaly.siblings_median,
    }


def event_document(event: Event) -> Document:
    """The rarest anomaly of an event, with begin, end, score and severity of all of them.

    ``members``: all of them, the rarest first; empty for one alone. ``shared_labels``: what all
    of them have.
    """
    document = {**anomaly_document(event.head), "members": [], "shared_labels": event.shared}
    if len(event.members) == 1:
        return document
    return {
        **document,
        "id": event.id,
        "severity": event.severity.value,
        "started_at": event.started_at,
        "ended_at": event.ended_at or None,
        "score": event.score,
        "explanation": event.explanation,
        "feedback": event.feedback or None,
        "told": any(each.told for each in event.members),
        "what": event.what,
        "members": [anomaly_document(each) for each in event.members],
    }


def explanation_document(explanation: Explanation, alike: Alike) -> Document:
    """An anomaly with ``related``, the likeliest first, and ``previous``, null if there is none.

    ``preceding``: the events of the calendar shortly before it, each with a ``text`` of words.
    ``alike``: what people said of others like it, null if nothing.
    """
    previous = explanation.previous
    document = anomaly_document(explanation.anomaly)
    return {
        **document,
        "explanation": document["explanation"] + in_words(explanation.preceding),
        "preceding": [_preceding(each) for each in explanation.preceding],
        "related": [_related(each) for each in explanation.related],
        "previous": None if previous is None else anomaly_document(previous),
        "alike": alike.words or None,
    }


def event_explanation_document(explanation: EventExplanation, alike: Alike) -> Document:
    """An event with ``standing_out``, the label values that are frequent in it, and as above."""
    previous = explanation.previous
    document = event_document(explanation.event)
    return {
        **document,
        "explanation": document["explanation"] + in_words(explanation.preceding),
        "preceding": [_preceding(each) for each in explanation.preceding],
        "standing_out": [asdict(each) for each in explanation.standing],
        "related": [_related(each) for each in explanation.related],
        "previous": None if previous is None else anomaly_document(previous),
        "alike": alike.words or None,
    }


def _preceding(found: Preceding) -> Document:
    event = found.occurrence.event
    return {
        "event": event.id,
        "kind": event.kind.value,
        "title": event.title,
        "link": event.link,
        "starts_at": found.occurrence.starts_at,
        "seconds_before": found.seconds,
        "text": found.text,
    }


def _related(related: Related) -> Document:
    return {
        **anomaly_document(related.anomaly),
        "shared_labels": related.shared,
        "seconds_after": related.seconds,
        "likeness": round(related.likeness, 3),
    }
