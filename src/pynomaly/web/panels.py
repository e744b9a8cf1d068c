"""What a chart or table of a page asks for, and its evaluation."""

import hashlib
import math
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_POINTS = 2_000
MAX_QUERIES = 10
_TARGET_POINTS = 300
_NICE_STEPS = (
    *(5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600),
    *(7200, 14400, 21600, 43200, 86400, 604800),
)
_RATE_SCRAPES = 4
_SCRAPE_SECONDS = 15


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuerySpec(_Wire):
    """One expression; ``legend`` may hold ``{{label}}``."""

    expr: Annotated[str, Field(max_length=20_000)]
    legend: Annotated[str, Field(max_length=500)] = ""


class ThresholdSpec(_Wire):
    """A dashed line across a chart."""

    value: float
    label: Annotated[str, Field(max_length=100)] = ""


class PanelSpec(_Wire):
    """A chart or a table. Two pages that show the same share its evaluation.

    The range is the last ``last`` seconds, or ``start`` to ``end`` in epoch milliseconds.
    ``step`` is in seconds; without it, one that suits the range is taken.
    """

    kind: Literal["graph", "table"] = "graph"
    queries: Annotated[tuple[QuerySpec, ...], Field(min_length=1, max_length=MAX_QUERIES)]
    last: Annotated[int, Field(ge=10, le=10 * 366 * 86400)] | None = None
    start: int | None = None
    end: int | None = None
    step: Annotated[float, Field(ge=0.1, le=31 * 86400)] | None = None
    unit: Annotated[str, Field(max_length=40)] = ""
    zero: bool = False
    thresholds: Annotated[tuple[ThresholdSpec, ...], Field(max_length=10)] = ()
    marks: bool = False
    limit: Annotated[int, Field(ge=1, le=500)] = 12

    @model_validator(mode="after")
    def _has_one_usable_range(self) -> "PanelSpec":
        if self.last is None:
            if self.start is None or self.end is None:
                raise ValueError("give 'last', or 'start' and 'end'")
            if self.end <= self.start:
                raise ValueError("'end' must be later than 'start'")
        points = self.seconds / self.step_seconds
        if self.kind == "graph" and points > MAX_POINTS:
            least = math.ceil(self.seconds / MAX_POINTS)
            raise ValueError(f"the step is too small for this range; take {least} s or more")
        return self

    @property
    def live(self) -> bool:
        """Whether the range moves with the time."""
        return self.last is not None

    @property
    def seconds(self) -> float:
        """The length of the range."""
        if self.last is not None:
            return float(self.last)
        return ((self.end or 0) - (self.start or 0)) / 1000

    @property
    def step_seconds(self) -> float:
        """The step, as asked for or as suits the range."""
        return self.step or nice_step(self.seconds)

    @property
    def digest(self) -> str:
        """Names what is asked for: equal specifications have equal digests."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()

    def expression(self, query: int) -> str:
        """The expression of a query, with Grafana's ``$__…`` variables filled in."""
        step = self.step_seconds
        rate = max(_RATE_SCRAPES * _SCRAPE_SECONDS, step + _SCRAPE_SECONDS)
        return (
            self.queries[query]
            .expr.replace("$__rate_interval", f"{math.ceil(rate)}s")
            .replace("$__interval", f"{math.ceil(step)}s")
            .replace("$__range", f"{math.ceil(self.seconds)}s")
        )

    def bounds(self, now_ms: int) -> tuple[int, int, int]:
        """Start, end and step in milliseconds; a moving range lies on multiples of its step."""
        step = max(1, round(self.step_seconds * 1000))
        if self.last is None:
            return self.start or 0, self.end or 0, step
        end = now_ms // step * step
        return end - max(1, self.last * 1000 // step) * step, end, step


def nice_step(seconds: float) -> float:
    """The smallest usual step that gives at most 300 points over so many seconds.

    >>> nice_step(3600)
    15.0
    """
    wanted = seconds / _TARGET_POINTS
    return float(next((s for s in _NICE_STEPS if s >= wanted), _NICE_STEPS[-1]))


def encode(message: Any) -> bytes:
    """JSON of a message; NaN and infinities become null."""
    return orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
