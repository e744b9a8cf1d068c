"""What a backtest gives: one shape for the API, the command and the pages.

Times are epoch seconds, durations seconds.
"""

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True, ser_json_inf_nan="null")


class AlertEvent(_Part):
    """One alert that would have fired."""

    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    """As they would have read with the value it began with."""
    pending_at: float
    fired_at: float
    ended_at: float | None
    """None: it was still firing at the end of the range."""
    value: float | None
    """The expression's value when it began; None for NaN."""
    peak: float | None
    """The value furthest beyond the threshold; None if there was no number."""
    found_at_start: bool = False
    """It was found at the first evaluation: it may have begun before."""
    cleared_by_limit: bool = False
    """It ended since the rule gave more alerts than its group's limit."""


class Week(_Part):
    """How many alerts fired in the week that begins with Monday, ``start``."""

    start: float
    fired: int


class FailedEvaluations(_Part):
    """Evaluations that failed, as they would have live; alerts stay as they are meanwhile."""

    count: int
    first: float
    last: float
    message: str


class Curve(_Part):
    """The expression's value for one alert: its extreme in each stretch, None for nothing."""

    labels: dict[str, str]
    values: list[float | None]


class Curves(_Part):
    """Some series on one grid of stretches: those with the most alerts."""

    start: float
    step: float
    series: list[Curve]
    left_out: int


class RuleReport(_Part):
    """One alerting rule, as given or with another threshold."""

    alert: str
    group: str
    file: str
    expr: str
    hold: float = Field(validation_alias=AliasChoices("hold", "for"), serialization_alias="for")
    keep_firing_for: float
    labels: dict[str, str]
    """Those that the rule and its group add, as written."""
    interval: float
    comparison: str | None = None
    """The operator of the comparison with a number at the root, that number on the right."""
    threshold: float | None = None
    evaluations: int
    series: int
    """How many series the expression gave, before its comparison."""
    data_start: float | None
    data_end: float | None
    """When it first and last gave any."""
    fired: int
    pending_only: int
    """Alerts that went away before ``for`` had passed."""
    per_week: float
    weeks: list[Week]
    hours: list[list[int]]
    """How many fired: 7 weekdays from Monday on, each with 24 hours."""
    firing_seconds: float
    """Of all alerts together."""
    failures: FailedEvaluations | None = None
    events: list[AlertEvent]
    """In the order of firing."""
    events_left_out: int = 0
    curves: Curves | None = None


class SweepRow(_Part):
    """One combination of a sweep."""

    threshold: float | None
    hold: float = Field(validation_alias=AliasChoices("hold", "for"), serialization_alias="for")
    as_given: bool
    """Whether this is the rule as it stands."""
    fired: int
    per_week: float
    pending_only: int
    series: int
    """How many different alerts fired."""
    firing_seconds: float


class Sweep(_Part):
    """One rule with other thresholds and other ``for``."""

    alert: str
    threshold: str
    """The comparison whose number changes; empty if only ``for`` does."""
    rows: list[SweepRow]


class Pair(_Part):
    """An alert in one version of the rules (``a``) and the other (``b``).

    ``same``: both begin and end within an interval. ``shifted``: they overlap; ``starts`` and
    ``ends`` say how many seconds later ``b`` fires and ends.
    """

    alert: str
    kind: Literal["same", "shifted", "only_a", "only_b"]
    labels: dict[str, str]
    a: AlertEvent | None = None
    b: AlertEvent | None = None
    starts: float | None = None
    ends: float | None = None


class AgainstReport(_Part):
    """The other version of the rules, and how its alerts differ."""

    rules: list[RuleReport]
    same: int
    shifted: int
    only_a: int
    only_b: int
    pairs: list[Pair]
    """All but those of kind ``same``, in the order of time."""


class BacktestResult(_Part):
    """A backtest over ``[start, end]``. ``took`` is how long it took."""

    start: float
    end: float
    timezone: str
    took: float
    evaluations: int
    rules: list[RuleReport]
    sweep: Sweep | None = None
    against: AgainstReport | None = None
    notes: list[str] = Field(default_factory=list)
    """What a reader should know, such as that data begins later than the range."""
