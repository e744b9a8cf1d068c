"""The settings of backtests."""

from pydantic import Field

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration


class BacktestSettings(Section):
    """Limits of backtests."""

    timeout: Duration = Field(
        default=300.0, gt=0, description="The longest that one backtest may take."
    )
    max_concurrent: int = Field(
        default=2, gt=0, description="How many may run at once; the next one is refused."
    )
    max_evaluations: int = Field(
        default=5_000_000,
        gt=0,
        description="The most evaluations of one backtest: rules times range by interval.",
    )
    max_alerts: int = Field(
        default=10_000, gt=0, description="The most alerts listed for a rule; all are counted."
    )
