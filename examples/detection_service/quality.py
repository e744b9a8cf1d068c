"""How good the model is: by labels that people give later, and by how its input has moved."""

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detection_service.learning import MODEL, VERSION, Model
from detection_service.plant import Readings
from pynomaly.observability import MetricsCollector

_LABELLED = 400
_SEEN = 500
_LEAST = 100
"""With fewer readings than this nothing is said."""


class Quality:
    """Keeps the last readings and the last labels, and says by metrics what they mean."""

    def __init__(self, metrics: MetricsCollector) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._seen: deque[Readings] = deque()
        self._labelled: deque[tuple[bool, bool]] = deque(maxlen=_LABELLED)

    def see(self, model: Model, rows: Readings) -> None:
        """Readings came in: is the model still trained for such?"""
        with self._lock:
            self._seen.append(rows)
            while sum(map(len, self._seen)) - len(self._seen[0]) >= _SEEN:
                self._seen.popleft()
            recent = np.concatenate(self._seen)
        if len(recent) >= _LEAST:
            self._metrics.models.drift.labels(MODEL, VERSION).set(model.drift(recent))

    def compare(self, said: Sequence[bool], true: Sequence[bool]) -> None:
        """Labels came in: was the model right?"""
        with self._lock:
            self._labelled.extend(zip(said, true, strict=True))
            pairs = list(self._labelled)
        wrong = sum(s and not t for s, t in zip(said, true, strict=True))
        self._metrics.detection.false_positives.labels(MODEL).inc(wrong)
        if len(pairs) >= _LEAST:
            self._report(np.array(pairs))

    def _report(self, pairs: NDArray[np.bool_]) -> None:
        said, true = pairs.T
        models, both = self._metrics.models, int(np.count_nonzero(said & true))
        models.accuracy.labels(MODEL, VERSION).set(float(np.mean(said == true)))
        if said.any():
            models.precision.labels(MODEL, VERSION).set(both / int(np.count_nonzero(said)))
        if true.any():
            models.recall.labels(MODEL, VERSION).set(both / int(np.count_nonzero(true)))
