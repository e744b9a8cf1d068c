"""Anomalies as people speak of them: when, where, how bad, and why."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import xxhash

from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels, canonical, service_of


class Severity(StrEnum):
    """How bad an anomaly is, by how rare its peak is."""

    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


class Feedback(StrEnum):
    """What a person said of it."""

    REAL = "real"
    FALSE = "false"


class NoSuchAnomaly(PynomalyError):
    """There is none with this id."""

    status = 404
    kind = "not_found"

    def __init__(self, anomaly_id: str) -> None:
        super().__init__(f"There is no anomaly {anomaly_id}.")


PEERS = "peers"
"""The cause of an anomaly that is one against its siblings."""
TOGETHER = "together"
"""The cause of anomalies that are too weak alone, and rare together."""

_HIGH_SCORE = 0.7
_CRITICAL_SCORE = 0.85

_CAUSES = {
    "residual": "one value far from expected",
    "residual_4": "four values far from expected",
    "residual_10": "ten values off in the same direction",
    "error_10": "ten values that cannot be foreseen as usual",
    "error_30": "thirty values that cannot be foreseen as usual",
    "level": "a value outside of the range seen so far",
    "level_6": "six values outside of the range seen so far",
    "level_24": "twenty-four values outside of the range seen so far",
    "season_24": "unlike this time of other days",
    "novelty": "a course that was not seen before",
    TOGETHER: "little alone, rare together with others of its service",
}


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One episode of one series. Times are epoch seconds; ``ended_at`` is 0 while it lasts.

    ``score`` and ``confidence`` are 0 to 1 and, like ``expected``, ``lower``, ``upper`` and
    ``value``, of the peak. ``direction`` is ``above`` or ``below`` what was expected. ``cause``
    names the statistic that found it. ``feedback`` is empty until a person gave it.

    ``group_id`` is the id of the event that it belongs to, empty before it is kept; ``together``
    the score that its group has together, 0 where none was found. ``peer`` says which of its
    ``siblings`` others it is (``pod=shop-2``), and ``siblings_median`` what is usual among them at
    the peak; 0 siblings where it has too few to compare. ``note`` says why, where numbers do not.
    ``told`` is false where the budget of its service was spent.
    """

    id: str
    labels: Labels
    started_at: float
    peaked_at: float
    ended_at: float
    score: float
    confidence: float
    value: float
    expected: float
    lower: float
    upper: float
    direction: str
    cause: str
    feedback: str = ""
    group_id: str = field(default="", compare=False)
    together: float = 0.0
    peer: str = ""
    siblings: int = 0
    siblings_median: float = 0.0
    note: str = ""
    told: bool = True

    @property
    def metric(self) -> str:
        """The name of the series."""
        return self.labels.name

    @property
    def service(self) -> str:
        """The first of the labels ``service``, ``service_name``, ``app``, ``job``; or empty."""
        return service_of(self.labels)

    @property
    def severity(self) -> Severity:
        """By the score of the peak: from 0.7 high, from 0.85 critical."""
        return severity_of(self.score)

    @property
    def explanation(self) -> str:
        """Why, in words and numbers."""
        if self.note:
            return self.note
        return (
            f"{self.value:.4g} where {self.expected:.4g} was expected "
            f"({self.lower:.4g} to {self.upper:.4g}): "
            f"{self._why}, {self.direction} what was expected."
        )

    @property
    def _why(self) -> str:
        if self.cause == PEERS:
            of = f" ({self.peer})" if self.peer else ""
            return f"unlike its {self.siblings} siblings{of}, median {self.siblings_median:.4g}"
        return _CAUSES.get(self.cause, self.cause)

    def grown(self, peak: "Anomaly") -> "Anomaly":
        """The same anomaly with another peak."""
        return replace(
            peak,
            id=self.id,
            started_at=self.started_at,
            feedback=self.feedback,
            group_id=self.group_id,
            together=self.together,
        )

    def closed(self, at: float) -> "Anomaly":
        """The same anomaly, over."""
        return replace(self, ended_at=at)


def severity_of(score: float) -> Severity:
    """How bad a score of 0 to 1 is."""
    if score >= _CRITICAL_SCORE:
        return Severity.CRITICAL
    return Severity.HIGH if score >= _HIGH_SCORE else Severity.WARNING


def anomaly_id(labels: Labels, started_at: float) -> str:
    """16 hexadecimal digits that identify an episode of a series."""
    return xxhash.xxh64_hexdigest(canonical(labels) + str(round(started_at * 1000)).encode())
