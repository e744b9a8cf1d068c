"""Anomalies as JSON, for the API and the pages. Times are epoch seconds."""

from typing import Any

from pynomaly.detection.events import Anomaly, trained_by
from pynomaly.detection.explanation import Explanation, Related

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
    }


def explanation_document(explanation: Explanation) -> Document:
    """An anomaly with ``related``, the likeliest first, and ``previous``, null if there is none."""
    previous = explanation.previous
    return {
        **anomaly_document(explanation.anomaly),
        "related": [_related(each) for each in explanation.related],
        "previous": None if previous is None else anomaly_document(previous),
    }


def _related(related: Related) -> Document:
    return {
        **anomaly_document(related.anomaly),
        "shared_labels": related.shared,
        "seconds_after": related.seconds,
        "likeness": round(related.likeness, 3),
    }
