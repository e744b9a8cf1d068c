"""A backtest as it is asked for from outside: text, times as people write them."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.model.duration import parse_duration
from pynomaly.model.times import parse_moment
from pynomaly.rules.backtest.errors import BadBacktest
from pynomaly.rules.backtest.service import Request
from pynomaly.rules.backtest.version import SweepValues
from pynomaly.rules.config import load_rules

_POSITIONED = re.compile(r"threshold([1-9]\d*)?")
_MOST_TEXT = 4 << 20

RuleText = Annotated[str, Field(max_length=_MOST_TEXT)]


class BacktestBody(BaseModel):
    """The body of ``POST /api/rules/backtest``."""

    model_config = ConfigDict(extra="forbid")

    rules: RuleText
    """A rule file's text."""
    file: str = "rules.yml"
    """Its name: part of the groups' identity, by which a server spreads their evaluation."""
    from_: Annotated[str | float, Field(alias="from")] = "7d"
    to: str | float = "now"
    alert: str = ""
    sweep: dict[str, list[str | float]] = Field(default_factory=dict)
    """``threshold`` (or ``threshold2``, by position) and ``for`` with the values to try."""
    against: RuleText = ""
    """The text of another version of the rules."""
    timezone: str = "UTC"
    curves: bool = True


def request_of(body: BacktestBody, now: float) -> Request:
    """What a body asks for, at ``now`` (epoch seconds).

    Raises:
        BadBacktest: a time, a duration or a number cannot be understood.
        ConfigError: file, line and fault of what is wrong with the rules.
    """
    groups = load_rules(body.rules, body.file)
    other = load_rules(body.against, f"{body.file} (other version)") if body.against else []
    return Request(
        groups,
        _moment("from", body.from_, now),
        min(_moment("to", body.to, now), now),
        body.alert,
        _sweep(body.sweep),
        other,
        body.timezone,
        body.curves,
    )


def _moment(name: str, value: str | float, now: float) -> float:
    try:
        return parse_moment(str(value), now)
    except ValueError as error:
        raise BadBacktest(f"{name}: {error}") from error


def _sweep(given: dict[str, list[str | float]]) -> SweepValues:
    thresholds: list[float] = []
    holds: list[float] = []
    position = 0
    for name, values in given.items():
        if name == "for":
            holds = [_number(name, value, _seconds) for value in values]
        elif found := _POSITIONED.fullmatch(name):
            if thresholds:
                raise BadBacktest("one threshold is swept at a time")
            position = int(found[1] or 0)
            thresholds = [_number(name, value, float) for value in values]
        else:
            raise BadBacktest(
                f"sweep: {name!r} cannot be swept.", hint="Sweep threshold, threshold2, … or for."
            )
    return SweepValues(tuple(thresholds), tuple(holds), position)


def _number(name: str, value: str | float, read: Any) -> float:
    try:
        return float(read(value))
    except ValueError as error:
        raise BadBacktest(f"sweep: {name}: {error}") from error


def _seconds(value: str | float) -> float:
    return float(value) if isinstance(value, int | float) else parse_duration(value)
