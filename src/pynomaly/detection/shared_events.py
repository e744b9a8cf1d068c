"""One event for each trouble of a series, whoever finds it: the judge of all series, or a model."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pynomaly.detection.events import CAUSES_BETWEEN, Anomaly, is_trained
from pynomaly.detection.repository import AnomalyLog
from pynomaly.model.labels import Labels

_Part = tuple[bool, str]
"""Whether a trained model found it, and the id by which its finder knows it."""


@dataclass(slots=True)
class _Shared:
    """An event, by what each of its finders says last of it; the first is the one that began it."""

    parts: dict[_Part, Anomaly] = field(default_factory=dict)

    @property
    def lasts(self) -> bool:
        return any(not each.ended_at for each in self.parts.values())

    @property
    def trained(self) -> bool:
        return any(trained for trained, _ in self.parts)

    def merged(self) -> Anomaly:
        """The rarest peak, with the begin of the first and all causes, the rarest first."""
        first, *others = self.parts.values()
        if not others:
            return first
        ranked = sorted(self.parts.values(), key=lambda each: -each.score)
        causes = dict.fromkeys(c for each in ranked for c in each.cause.split(CAUSES_BETWEEN))
        watched = next((each for each in ranked if each.watched), first)
        return replace(
            first.grown(ranked[0]),
            cause=CAUSES_BETWEEN.join(causes),
            ended_at=0.0 if self.lasts else max(each.ended_at for each in ranked),
            watched=watched.watched,
            expr=watched.expr,
        )


class SharedEvents:
    """Keeps what the judge and the watched queries find, as one event where both find the same.

    An anomaly of a watched query joins one of the judge that lasts in the same series, and the
    other way round; it ends when the last of them ends. Blocking; any thread.
    """

    def __init__(self, kept: AnomalyLog) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._lasting: dict[Labels, list[_Shared]] = {}
        for each in kept.open():
            self._lasting.setdefault(each.labels, []).append(_taken_up(each))

    def save(self, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        """Keep them, and return the events that they belong to now."""
        with self._lock:
            told = [self._joined(each) for each in anomalies]
            # Of several changes of one event in a call the last has them all.
            return self._kept.save(list({each.id: each for each in told}.values()))

    def open(self) -> list[Anomaly]:
        """What the judge found that has not ended."""
        return self._parts(trained=False)

    def open_trained(self) -> list[Anomaly]:
        """What trained models found that has not ended."""
        return self._parts(trained=True)

    def _parts(self, *, trained: bool) -> list[Anomaly]:
        with self._lock:
            return [
                part
                for shared in self._all()
                for (by_model, _), part in shared.parts.items()
                if by_model == trained and not part.ended_at
            ]

    def _all(self) -> Iterable[_Shared]:
        return (shared for row in self._lasting.values() for shared in row)

    def _joined(self, anomaly: Anomaly) -> Anomaly:
        part = (bool(anomaly.watched), anomaly.id)
        row = self._lasting.setdefault(anomaly.labels, [])
        shared = next((each for each in row if part in each.parts), None)
        if shared is None:
            # Two of the judge itself stay two: only a model and the judge speak of the same.
            shared = next((s for s in row if s.lasts and (anomaly.watched or s.trained)), None)
        if shared is None:
            shared = _Shared()
            row.append(shared)
        shared.parts[part] = anomaly
        if not shared.lasts:
            row.remove(shared)
        if not row:
            del self._lasting[anomaly.labels]
        return shared.merged()


def _taken_up(anomaly: Anomaly) -> _Shared:
    """An event that lasted when the process before ended, by its finders."""
    causes = anomaly.cause.split(CAUSES_BETWEEN)
    trained = [cause for cause in causes if is_trained(cause)]
    judged = [cause for cause in causes if not is_trained(cause)]
    parts: dict[_Part, Anomaly] = {}
    if judged:
        cause = CAUSES_BETWEEN.join(judged)
        parts[False, anomaly.id] = replace(anomaly, cause=cause, watched="", expr="")
    if trained:
        parts[True, anomaly.id] = replace(anomaly, cause=CAUSES_BETWEEN.join(trained))
    return _Shared(parts)
