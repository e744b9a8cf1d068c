"""Which label values stand out in an event: more frequent among its series than among all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, lgamma

from pynomaly.model.labels import METRIC_NAME, Labels

_MOST = 10
_SURPRISING = 0.01
"""The chance below which a value stands out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A label value that ``members`` of the ``of_members`` series of an event have.

    ``series`` of the ``of_series`` that are judged have it. ``chance``, 0 to 1: that as many
    would have it if as many series had been drawn blindly.
    """

    label: str
    value: str
    members: int
    of_members: int
    series: int
    of_series: int
    chance: float


def standing_out(members: Iterable[Labels], judged: Sequence[Labels]) -> list[Standing]:
    """The label values that stand out in these series, the most surprising first; at most ten.

    ``judged``: all series that could have been among them. One alone has nothing to stand out.
    """
    moved = set(members)
    every = moved.union(judged)
    if len(moved) < 2:
        return []
    inside = Counter(pair for labels in moved for pair in labels.pairs if pair[0] != METRIC_NAME)
    outside = Counter(pair for labels in every for pair in labels.pairs if pair in inside)
    found = []
    for (name, value), count in inside.items():
        total = outside[name, value]
        chance = _chance(count, len(moved), total, len(every))
        if count > 1 and chance < _SURPRISING:
            found.append(Standing(name, value, count, len(moved), total, len(every), chance))
    found.sort(key=lambda each: (each.chance, -each.members, each.label, each.value))
    return found[:_MOST]


def _chance(count: int, drawn: int, marked: int, every: int) -> float:
    """Of so many drawn, at least ``count`` are of the marked ones: the hypergeometric tail."""
    whole = _ways(every, drawn)
    most = min(drawn, marked)
    terms = (
        exp(_ways(marked, k) + _ways(every - marked, drawn - k) - whole)
        for k in range(count, most + 1)
        if drawn - k <= every - marked
    )
    return min(sum(terms), 1.0)


def _ways(of: int, chosen: int) -> float:
    """The logarithm of the number of ways to choose."""
    return lgamma(of + 1) - lgamma(chosen + 1) - lgamma(of - chosen + 1)
