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
    NONE = "none"
    """Takes back what was said."""


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

CAUSES_BETWEEN = "+"
"""Between the causes of an anomaly that several found, the rarest first."""

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


_WINDOW_FEATURES = {
    "level": "an unusual level",
    "residual": "a value unlike this time of other days",
    "residual_mean": "four values unlike this time of other days",
    "jump": "an unusual step from the value before",
    "slope": "an unusual slope of the last 24 values",
    "spread": "an unusual spread of the last 24 values",
    "hour_sin": "unusual at this hour",
    "hour_cos": "unusual at this hour",
    "weekday_sin": "unusual on this day of the week",
    "weekday_cos": "unusual on this day of the week",
}
_FEATURES = {
    ("seasonal", "residual"): "a value unlike this time of other days",
    ("seasonal", "residual_mean"): "twelve values unlike this time of other days",
    ("statistical", "zscore"): "a value many standard deviations from the mean",
    ("statistical", "mad"): "a value many median deviations from the median",
    ("statistical", "standard_deviation"): "an unusual spread of the last 24 values",
    ("matrix_profile", "course"): "a course unlike any of the training",
    **{
        (algorithm, feature): words
        for algorithm in ("isolation_forest", "dbscan")
        for feature, words in _WINDOW_FEATURES.items()
    },
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

    ``watched`` names the watched query that found it, alone or as well, and ``expr`` is what that
    evaluates; its causes are ``algorithm/feature``.
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
    watched: str = ""
    expr: str = ""

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
        return "; ".join(_in_words(cause) for cause in self.cause.split(CAUSES_BETWEEN))

    def grown(self, peak: "Anomaly") -> "Anomaly":
        """The same anomaly with another peak."""
        return replace(
            peak,
            id=self.id,
            started_at=self.started_at,
            feedback=self.feedback,
            group_id=self.group_id,
            together=self.together,
            told=self.told or peak.told,
        )

    def closed(self, at: float) -> "Anomaly":
        """The same anomaly, over."""
        return replace(self, ended_at=at)


def is_trained(cause: str) -> bool:
    """Whether a cause is the finding of a trained algorithm: ``seasonal/residual``."""
    return "/" in cause


def trained_by(cause: str) -> list[dict[str, str]]:
    """The trained algorithms among the causes, each with its feature, the rarest first."""
    pairs = (one.partition("/") for one in cause.split(CAUSES_BETWEEN) if is_trained(one))
    return [{"algorithm": algorithm, "feature": feature} for algorithm, _, feature in pairs]


def _in_words(cause: str) -> str:
    if not is_trained(cause):
        return _CAUSES.get(cause, cause)
    *algorithms, feature = cause.split("/")
    by = " of ".join(reversed(algorithms))
    return f"{_FEATURES.get((algorithms[-1], feature), feature)} (by {by}, trained)"


def severity_of(score: float) -> Severity:
    """How bad a score of 0 to 1 is."""
    if score >= _CRITICAL_SCORE:
        return Severity.CRITICAL
    return Severity.HIGH if score >= _HIGH_SCORE else Severity.WARNING


def anomaly_id(labels: Labels, started_at: float) -> str:
    """16 hexadecimal digits that identify an episode of a series."""
    return xxhash.xxh64_hexdigest(canonical(labels) + str(round(started_at * 1000)).encode())
