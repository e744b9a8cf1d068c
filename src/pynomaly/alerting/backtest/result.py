"""What a backtest of routing gives: one shape for the command and its JSON.

Times are epoch seconds.
"""

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.rules.backtest.result import Week


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class WayReport(_Part):
    """How one integration of a receiver would have been used."""

    receiver: str
    integration: str
    """``slack[0]``: the kind, and which of that kind."""
    notifications: int
    per_week: float
    at_night: int
    """From 22 to 7 o'clock."""
    alerts: int
    """How many of the alerts it would have been told of as firing."""
    reasons: dict[str, int]
    weeks: list[Week]
    hours: list[list[int]]
    """How many notifications: 7 weekdays from Monday on, each with 24 hours."""


class UnheardAlert(_Part):
    """An alert that nobody would have been told of, and why."""

    labels: dict[str, str]
    fired_at: float
    ended_at: float | None
    receivers: list[str]
    """Those of its routes."""
    reasons: list[str]


class RoutingReport(_Part):
    """What one configuration would have done."""

    notifications: int
    ways: list[WayReport]
    """All that there are, those without a notification included."""
    heard: int
    """Alerts that somebody would have been told of."""
    unheard: list[UnheardAlert]


class Rerouted(_Part):
    """An alert that goes to other receivers by the other configuration."""

    labels: dict[str, str]
    fired_at: float
    a: list[str]
    b: list[str]


class RoutingBacktest(_Part):
    """A backtest over ``[start, end]``; ``against`` is of the other configuration."""

    start: float
    end: float
    timezone: str
    alerts: int
    report: RoutingReport
    against: RoutingReport | None = None
    rerouted: list[Rerouted] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
