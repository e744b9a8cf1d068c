"""Models and their trainings as JSON, for the API and the pages. Times are epoch seconds."""

import math
from typing import Any

from pynomaly.detection.watched.models import ModelVersion
from pynomaly.detection.watched.trainer import Progress

Document = dict[str, Any]


def model_document(model: ModelVersion, drift: float) -> Document:
    """A version; ``drift`` is null while it is not known, and of versions not in use."""
    return {
        "query": model.query,
        "algorithm": model.algorithm,
        "version": model.version,
        "active": model.active,
        "trained_at": model.trained_at,
        "data_from": model.data_from,
        "data_until": model.data_until,
        "series": model.series,
        "points": model.points,
        "backtest": {"passes_per_week": model.passes_per_week},
        "drift": None if math.isnan(drift) else drift,
        "parameters": model.parameters,
    }


def training_document(progress: Progress) -> Document:
    """How far a training is, or how it ended."""
    return {
        "query": progress.query,
        "state": progress.state,
        "done": progress.done,
        "total": progress.total,
        "error": progress.error or None,
    }
