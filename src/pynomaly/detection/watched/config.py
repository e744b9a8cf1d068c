"""Settings of watched queries and of their training."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration
from pynomaly.promql.contract import ParseError
from pynomaly.promql.nodes import ValueType
from pynomaly.promql.parser import parse

AlgorithmName = Literal[
    "isolation_forest", "dbscan", "statistical", "seasonal", "matrix_profile", "ensemble"
]
Contamination = Annotated[float, Field(gt=0, le=0.5)]


class Algorithm(Section):
    """One way to find anomalies."""

    name: AlgorithmName = Field(
        description="Which. `isolation_forest`, `dbscan` and `ensemble` need scikit-learn: "
        "`pip install 'pynomaly-monitoring[ml]'`."
    )
    contamination: Contamination = Field(
        default=0.1,
        description="The share of the training data that may be anomalous.",
    )
    enabled: bool = Field(default=True, description="Whether it is used.")


class WatchedQuery(Section):
    """An expression whose series are judged by detectors trained on their history."""

    name: str = Field(
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_:.-]*$",
        description="The label `of` of its scores.",
    )
    expr: str = Field(min_length=1, description="PromQL; each series of the result is judged.")

    @field_validator("expr")
    @classmethod
    def _is_promql(cls, expr: str) -> str:
        try:
            kind = parse(expr).type
        except ParseError as error:
            raise ValueError(str(error)) from error
        if kind is not ValueType.VECTOR:
            raise ValueError(f"it gives a {kind}; an instant vector is expected")
        return expr

    algorithms: tuple[AlgorithmName, ...] = Field(
        default=(),
        description="By which; unless given, those of `components.anomaly_detection.algorithms`.",
    )
    contamination: Contamination | None = Field(
        default=None,
        description="The share of the training data that may be anomalous; unless given, the "
        "algorithm's own.",
    )
    enabled: bool = Field(default=True, description="Whether it is trained and judged.")
    training_window: Duration = Field(
        default=30 * 86_400.0,
        ge=86_400,
        description="How much history it learns from; 30 days are good, a day is the least.",
    )
    season: Literal["auto", "none", "daily", "weekly"] = Field(
        default="auto",
        description="What repeats; `auto` takes what foresees each series best.",
    )
    step: Duration = Field(default=60.0, ge=1, description="How often a point is judged.")


class TrainingSettings(Section):
    """When and how the detectors of watched queries are trained."""

    workers: int = Field(
        default=1, ge=1, le=64, description="Processes that train at once, beside the server."
    )
    retrain_every: Duration = Field(
        default=7 * 86_400.0, ge=3600, description="How old a model may become."
    )
    retrain_drift: float = Field(
        default=2.0,
        gt=0,
        description="Train anew when `anomaly_model_drift` is above this: 1 is a day as unlike the "
        "rest as the most unlike in twenty days of the training.",
    )
    keep_versions: int = Field(
        default=5, ge=1, description="Versions of a model that are kept, the one in use included."
    )
    max_series: int = Field(
        default=1000, ge=1, description="The most series of one query; more are left out."
    )
