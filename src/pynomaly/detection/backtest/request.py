"""A backtest as it is asked for from outside: times as people write them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.detection.backtest.service import Request
from pynomaly.detection.backtest.work import JUDGE
from pynomaly.model.duration import parse_duration
from pynomaly.model.errors import BadInput
from pynomaly.model.times import parse_moment

_DAY = 86_400.0
_STEPS = ((2 * _DAY, 60.0), (15 * _DAY, 300.0), (60 * _DAY, 900.0))
_LONGEST_STEP = 3600.0


class BacktestBody(BaseModel):
    """What ``POST /api/anomalies/backtest`` takes."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    from_: Annotated[str | float, Field(alias="from")] = "7d"
    to: str | float = "now"
    step: str | float | None = None
    learn: str | float = "7d"
    algorithms: Annotated[tuple[str, ...], Field(max_length=7)] = (JUDGE,)
    timezone: Annotated[str, Field(max_length=60)] = "UTC"


def request_of(body: BacktestBody, now: float) -> Request:
    """What a body asks for, at ``now`` (epoch seconds).

    Without a step it is a minute for two days, 5 for two weeks, 15 for two months, else an hour.

    Raises:
        BadInput: a time or a duration cannot be understood.
    """
    start = _moment("from", body.from_, now)
    end = min(_moment("to", body.to, now), now)
    if body.step is None:
        step = next((step for most, step in _STEPS if end - start <= most), _LONGEST_STEP)
    else:
        step = _duration("step", body.step)
    learn = _duration("learn", body.learn)
    return Request(body.query, start, end, step, learn, body.algorithms, body.timezone)


def _moment(name: str, value: str | float, now: float) -> float:
    try:
        return parse_moment(str(value), now)
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from error


def _duration(name: str, value: str | float) -> float:
    try:
        return float(value) if isinstance(value, int | float) else parse_duration(value)
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from error
