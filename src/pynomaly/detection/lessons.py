"""What was said of anomalies counts for similar ones: the more alike, the more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.events import CAUSES_BETWEEN, Anomaly, Feedback
from pynomaly.detection.streaming.columns import FloatArray, Rows
from pynomaly.model.labels import METRIC_NAME, Labels

ALIKE = 0.5
"""The least share of common labels that makes two series of a metric alike."""
PER_FALSE_ALARM = 1.0
"""Decades by which one false alarm raises the bar of its series; a real anomaly takes it back."""
MOST = 3.0
"""Decades that no number of false alarms exceeds: what is rarer than that is told all the same."""

Kind = tuple[str, str]
"""A cause and a direction."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What was said of anomalies like one: same metric, cause and direction, labels near.

    ``decades``: by how much rarer than the budget wants it, one like it must be now to begin.
    """

    judged: int
    false: int
    decades: float

    @property
    def words(self) -> str:
        """``3 of 4 like it were marked false: …``; empty where nothing was said."""
        if not self.judged:
            return ""
        were = "was" if self.judged == 1 else "were"
        said = f"{self.false} of {self.judged} like it {were} marked false"
        if not self.decades:
            return f"{said}."
        return f"{said}: one like it must be {10**self.decades:.3g} times rarer to be told."


def likeness(one: Labels, other: Labels) -> float:
    """The share of all labels of two series that they have in common; 0 of different metrics.

    >>> likeness(Labels({"__name__": "m", "a": "1", "b": "1"}), Labels({"__name__": "m", "a": "1"}))
    0.5
    """
    if one.name != other.name:
        return 0.0
    mine, its = ({pair for pair in each.pairs if pair[0] != METRIC_NAME} for each in (one, other))
    every = len(mine | its)
    return len(mine & its) / every if every else 1.0


def kinds(anomaly: Anomaly) -> list[Kind]:
    """Its causes, each with its direction."""
    return _kinds(anomaly.cause, anomaly.direction)


def _kinds(cause: str, direction: str) -> list[Kind]:
    return [(one, direction) for one in cause.split(CAUSES_BETWEEN)]


def taught_by_others(
    labels: Labels, cause: str, direction: str, judged: Iterable[Anomaly]
) -> float:
    """What was said of similar series, for an anomaly like this: decades, below 0 if real."""
    mine, total = set(_kinds(cause, direction)), 0.0
    for each in judged:
        weight = likeness(labels, each.labels)
        if weight >= ALIKE and each.labels != labels and mine & set(kinds(each)):
            total += weight * _sign(each)
    return total


def alike(anomaly: Anomaly, judged: Iterable[Anomaly]) -> Alike:
    """What was said of others like it, itself left out; its own words count for its decades."""
    mine = set(kinds(anomaly))
    others, false, decades = 0, 0, 0.0
    for each in judged:
        weight = likeness(anomaly.labels, each.labels)
        same = each.labels == anomaly.labels
        if not same and (weight < ALIKE or not mine & set(kinds(each))):
            continue
        is_false = each.feedback == Feedback.FALSE
        decades += (PER_FALSE_ALARM if is_false else -PER_FALSE_ALARM) * weight
        if each.id != anomaly.id:
            others += 1
            false += is_false
    return Alike(others, false, min(max(decades, 0.0), MOST))


class Lessons:
    """What was said of other series, for each row: decades by cause and direction."""

    def __init__(self, causes: Sequence[str]) -> None:
        self._number = {cause: i for i, cause in enumerate(causes)}
        self._taught: dict[Kind, dict[str, list[tuple[Labels, float]]]] = {}
        self._decades: dict[Kind, FloatArray] = {}
        self._size = 0

    def take(self, judged: Iterable[Anomaly]) -> None:
        """From now on this is what was said."""
        self._taught = {}
        for each in judged:
            sign = _sign(each)
            for kind in kinds(each):
                if kind[0] in self._number:
                    of_metric = self._taught.setdefault(kind, {}).setdefault(each.metric, [])
                    of_metric.append((each.labels, sign))
        self.begin_anew()

    def begin_anew(self) -> None:
        """Rows have other numbers now."""
        self._decades, self._size = {kind: np.zeros(0, np.float32) for kind in self._taught}, 0

    def look(self, labels: Sequence[Labels]) -> None:
        """Weigh what was said for the rows that are new at the end of ``labels``."""
        new = labels[self._size :]
        if not self._taught or not new:
            return
        for kind, taught in self._taught.items():
            more = [_decades(each, taught) for each in new]
            known = self._decades[kind]
            self._decades[kind] = np.concatenate([known, np.array(more, dtype=np.float32)])
        self._size = len(labels)

    def decades(
        self,
        rows: Rows,
        causes: NDArray[np.int64],
        direction: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """By how much rarer these points must be: ``own`` and what similar ones taught, at most 3.

        ``causes``: numbers of causes, as at the beginning. ``direction``: negative is below.
        """
        if not self._taught:
            return own
        found = own.copy()
        for (cause, side), decades in self._decades.items():
            mine = causes == self._number[cause]
            mine &= (direction < 0) == (side == "below")
            found[mine] += decades[rows[mine]]
        finite = np.isfinite(found)
        found[finite] = np.clip(found[finite], 0.0, MOST)
        return found


def _sign(judged: Anomaly) -> float:
    return PER_FALSE_ALARM if judged.feedback == Feedback.FALSE else -PER_FALSE_ALARM


def _decades(labels: Labels, taught: Mapping[str, list[tuple[Labels, float]]]) -> float:
    """What was said of others like a series; what was said of itself counts elsewhere."""
    total = 0.0
    for other, sign in taught.get(labels.name, ()):
        weight = likeness(labels, other)
        if weight >= ALIKE and other != labels:
            total += sign * weight
    return total
