"""Settings of the judge of every series."""

from pydantic import Field, field_validator

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import compile_anchored


class DetectionSettings(Section):
    """Which series are judged, and how often."""

    interval: Duration = Field(
        default=30.0, ge=1, description="How often new samples are judged: one point per interval."
    )
    window: int = Field(
        default=120,
        ge=10,
        le=10_000,
        description="How many points of each series the usual is learnt from.",
    )
    min_points: int = Field(
        default=20, ge=3, description="With fewer points than this a series is not judged yet."
    )
    max_series: int = Field(
        default=10_000, ge=1, description="The most series that are judged; more are left out."
    )
    floor: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Scores below this are not written. 0 writes one series of scores for each "
        "series that is judged; 0.5 writes those that stand out.",
    )
    exclude: str = Field(
        default="",
        description="A regular expression of further metric names that are not judged.",
    )

    @field_validator("exclude")
    @classmethod
    def _is_regex(cls, value: str) -> str:
        try:
            compile_anchored(value)
        except BadInput as error:
            raise ValueError(error.message) from error
        return value
