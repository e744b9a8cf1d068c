"""Settings of the judge of every series."""

import zoneinfo

from pydantic import Field, field_validator

from pynomaly.detection.peers.siblings import INSTANCE_LIKE
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.model.document import Section
from pynomaly.model.duration import Duration
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import compile_anchored


class PeerSettings(Section):
    """Series that are alike, judged by one another."""

    enabled: bool = Field(default=True, description="Compare each series with its siblings.")
    by: list[str] = Field(
        default=list(INSTANCE_LIKE),
        description="Labels that tell siblings apart: series that differ in nothing else are "
        "compared with one another. The first that a series has names it.",
    )
    least: int = Field(default=5, ge=3, description="How many series must be alike to be compared.")


class JointSettings(Section):
    """What moves together is told as one event."""

    enabled: bool = Field(
        default=True,
        description="Tell also what is little in each series of a service, and rare in all of "
        "them together.",
    )
    within: Duration = Field(
        default=300.0,
        ge=0,
        description="Anomalies that begin so soon after each other in related series (of one "
        "service, pod or host, or siblings) are one event.",
    )


class DetectionSettings(Section):
    """Which series are judged, how often, and what is written of it."""

    interval: Duration = Field(
        default=30.0, ge=1, description="How often new samples are judged: one point per interval."
    )
    history: Duration = Field(
        default=2 * 86_400.0,
        ge=0,
        description="How far back stored samples are learnt from when there is no state of an "
        "earlier run.",
    )
    min_points: int = Field(
        default=100,
        ge=24,
        le=100_000,
        description="With fewer points than this a series is not judged yet.",
    )
    max_series: int = Field(
        default=10_000,
        ge=1,
        description="The most series that are judged; more are left out. Each takes 4 KB.",
    )
    budget: float = Field(
        default=0.1,
        gt=0,
        description="How many anomalies a week a series that is in order may have.",
    )
    service_budget: float = Field(
        default=1.0,
        gt=0,
        description="How many anomalies a week are told of a service that is in order, a service "
        "being the first of the labels `service`, `service_name`, `app`, `job`. What is found "
        "beyond that is kept as not told.",
    )
    floor: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="Scores below this are not written. 0 writes one series of scores for each "
        "series that is judged; 0.4 writes those that begin to stand out.",
    )
    band_from: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="From this score on `anomaly_expected`, `anomaly_lower` and `anomaly_upper` "
        "are written as well.",
    )
    histograms: bool = Field(
        default=True,
        description="Judge classic histograms by their quantiles 0.5, 0.95 and 0.99.",
    )
    rules: tuple[AnomalyRule, ...] = Field(
        default=(), description="What is told of the anomalies of some series."
    )
    watch: str = Field(
        default="",
        description="A regular expression of metric names whose verdicts are always written.",
    )
    exclude: str = Field(
        default="",
        description="A regular expression of further metric names that are not judged.",
    )
    timezone: str = Field(
        default="UTC",
        description="The zone whose hours and weekdays seasons follow, such as `Europe/Berlin`; "
        "`calendar.time_zone` unless given.",
    )
    peers: PeerSettings = Field(
        default=PeerSettings(), description="Series that are alike, judged by one another."
    )
    joint: JointSettings = Field(
        default=JointSettings(), description="What moves together is told as one event."
    )

    @field_validator("exclude", "watch")
    @classmethod
    def _is_regex(cls, value: str) -> str:
        try:
            compile_anchored(value)
        except BadInput as error:
            raise ValueError(error.message) from error
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no time zone; write it like Europe/Berlin") from error
        return value
