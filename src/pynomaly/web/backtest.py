"""Backtests as the page of a rule asks for them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.calendar.charts import ChartEvents, series_of
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.rules.backtest.service import Request
from pynomaly.rules.backtest.version import SweepValues
from pynomaly.rules.config import Rule
from pynomaly.rules.group import GroupRunner
from pynomaly.web.deps import WebDeps
from pynomaly.web.rules import find_rule


class RuleGone(PynomalyError):
    """The rule of an id is not there, or no longer."""

    status = 404
    kind = "not_found"


_Values = Annotated[tuple[float, ...], Field(max_length=20)]


class BacktestSpec(BaseModel):
    """A rule by its id, over ``[start, end]`` (epoch seconds), and other values to try.

    ``holds`` are seconds of ``for``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(max_length=40)]
    start: Annotated[float, Field(ge=0, le=1e11)]
    end: Annotated[float, Field(ge=0, le=1e11)]
    thresholds: _Values = ()
    holds: _Values = ()
    timezone: Annotated[str, Field(max_length=60)] = "UTC"


async def run_backtest(deps: WebDeps, spec: BacktestSpec, happened: ChartEvents) -> dict[str, Any]:
    """The result as ``POST /api/rules/backtest`` gives it, for this rule only.

    ``happened`` in it are the events that concern its alerts.

    Raises:
        RuleGone: there is no such rule any more.
        BadInput: it is not an alerting rule, or the product does no backtests.
        BacktestError: see ``Backtests.run``.
    """
    found = find_rule(deps.rules.groups(), spec.id)
    if found is None:
        raise RuleGone("there is no such rule any more", hint="Go back to the list of rules.")
    runner, state = found
    if deps.backtests is None or not state.rule.alert:
        raise BadInput("only an alerting rule can be tried on stored history")
    result = await deps.backtests.run(
        Request(
            groups=[_alone(runner, state.rule)],
            start=spec.start,
            end=spec.end,
            alert=state.rule.alert,
            sweep=SweepValues(spec.thresholds, spec.holds),
            timezone=spec.timezone,
        )
    )
    labels = [event.labels for report in result.rules for event in report.events] or [{}]
    series = [series_of(state.rule.expr, each) for each in labels]
    events = happened.of(series, round(spec.start * 1000), round(spec.end * 1000))
    return result.model_dump(mode="json") | {"happened": events}


def _alone(runner: GroupRunner, rule: Rule) -> Any:
    """The group with this alert only; what its group records is kept, for it may read that."""
    kept = tuple(each for each in runner.group.rules if each.record or each is rule)
    return runner.group.model_copy(update={"rules": kept})
