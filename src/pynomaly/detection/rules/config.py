"""A rule of what is told of the anomalies of some series."""

from enum import StrEnum
from functools import cached_property

from pydantic import Field, field_validator, model_validator

from pynomaly.calendar.matchers import parse_matchers
from pynomaly.model.document import Section
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import Matcher


class Direction(StrEnum):
    """Which side of what was expected is worth a word."""

    ABOVE = "above"
    BELOW = "below"
    BOTH = "both"


class MinTraffic(Section):
    """Traffic that there must be, by the labels that it has in common with the series."""

    metric: str = Field(
        default="",
        description="The traffic is this metric with the labels of the series, summed; of a "
        "counter (`_total`, `_count`) its rate over 5 minutes.",
    )
    query: str = Field(default="", description="Or this PromQL expression, for other traffic.")
    at_least: float = Field(gt=0, description="Below this nothing is told.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "MinTraffic":
        if bool(self.metric) == bool(self.query):
            raise ValueError("name the traffic either by metric or by query")
        return self


class AnomalyRule(Section):
    """Every rule that matches a series holds: the strictest of them counts."""

    matchers: tuple[str, ...] = Field(
        min_length=1,
        description='Which series: `service="shop"`, `__name__=~"queue_.*"`; all must match. '
        "`metric` means `__name__`.",
    )
    direction: Direction = Field(
        default=Direction.BOTH,
        description="Tell only what is `above` what was expected, or `below`.",
    )
    min_deviation: float = Field(
        default=0.0, ge=0, description="Tell only what is at least so far from expected."
    )
    min_relative_deviation: float = Field(
        default=0.0,
        ge=0,
        description="The same as a share of what was expected: 0.2 is a fifth.",
    )
    min_traffic: MinTraffic | None = Field(
        default=None, description="Tell only while there is so much traffic."
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        description="How many anomalies a week each of these series may have when in order.",
    )
    ignore: bool = Field(default=False, description="Tell nothing of these series.")
    comment: str = Field(default="", max_length=1000, description="Why, for others.")

    @field_validator("matchers")
    @classmethod
    def _are_matchers(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_matchers(given)
        except BadInput as error:
            raise ValueError(error.message) from error
        return given

    @model_validator(mode="after")
    def _says_something(self) -> "AnomalyRule":
        plain = self.direction is Direction.BOTH and self.min_traffic is None and not self.ignore
        if plain and not (self.min_deviation or self.min_relative_deviation or self.budget):
            raise ValueError(
                "the rule changes nothing: set direction, min_deviation, min_relative_deviation, "
                "min_traffic, budget or ignore"
            )
        return self

    @cached_property
    def parsed(self) -> tuple[Matcher, ...]:
        """The matchers; ``metric`` is the name of the series."""
        return tuple(
            Matcher(METRIC_NAME, each.op, each.value) if each.name == "metric" else each
            for each in parse_matchers(self.matchers)
        )
