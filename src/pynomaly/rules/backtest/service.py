"""Backtests: what a rule file would have done over a range of stored history."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Querier
from pynomaly.rules.backtest.compare import against
from pynomaly.rules.backtest.config import BacktestSettings
from pynomaly.rules.backtest.errors import BacktestTimeout, BadBacktest, TooManyBacktests
from pynomaly.rules.backtest.pieces import Progress, silent
from pynomaly.rules.backtest.plan import Plan, plan, warm_up
from pynomaly.rules.backtest.report import Period
from pynomaly.rules.backtest.result import BacktestResult
from pynomaly.rules.backtest.statistics import zone
from pynomaly.rules.backtest.version import SweepValues, Version, swept_of
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.manager import spread
from pynomaly.rules.template import NOWHERE, Outside

_RUNNING = Gauge(
    "pynomaly_rule_backtests_running", "Backtests of rules under way.", registry=REGISTRY
)
_BACKTESTS = Counter(
    "pynomaly_rule_backtests", "Backtests of rules that ended.", ["outcome"], registry=REGISTRY
)
_DURATION = Histogram(
    "pynomaly_rule_backtest_duration_seconds",
    "How long backtests of rules took.",
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300),
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to backtest: the rules of ``groups`` over ``[start, end]`` (epoch seconds).

    ``alert`` names the only alert to look at. ``other`` is another version of the rules.
    ``timezone`` is that of weeks and hours. ``curves`` asks for values to draw.
    """

    groups: Sequence[RuleGroup]
    start: float
    end: float
    alert: str = ""
    sweep: SweepValues = field(default_factory=SweepValues)
    other: Sequence[RuleGroup] = ()
    timezone: str = "UTC"
    curves: bool = True


class Backtests:
    """Runs backtests, a bounded number at a time, each within its time."""

    def __init__(
        self,
        querier: Querier,
        settings: BacktestSettings | None = None,
        *,
        query: QuerySettings | None = None,
        default_interval: float = 60.0,
        outside: Outside = NOWHERE,
    ) -> None:
        self._querier = querier
        self._settings = settings or BacktestSettings()
        self._query = query or QuerySettings()
        self._default_interval = default_interval
        self._outside = outside
        self._running = 0

    async def run(self, request: Request, progress: Progress = silent) -> BacktestResult:
        """Run one. Cancelling the awaiting task ends it.

        Raises:
            BadBacktest: the request does not fit the rules.
            NoData: nothing is stored of what the rules read.
            BacktestFailed: a rule cannot be evaluated.
            BacktestTimeout, TooManyBacktests: a limit of the settings.
        """
        if self._running >= self._settings.max_concurrent:
            raise TooManyBacktests(
                f"{self._running} backtests are under way, which is the limit.",
                hint="Try again when one has ended (rules.backtest.max_concurrent).",
            )
        self._running += 1
        outcome = "error"
        try:
            with _RUNNING.track_inprogress(), _DURATION.time():
                async with asyncio.timeout(self._settings.timeout):
                    result = await self._run(request, progress)
            outcome = "ok"
            return result
        except asyncio.CancelledError:
            outcome = "canceled"
            raise
        except TimeoutError as error:
            raise BacktestTimeout(
                f"the backtest took longer than {self._settings.timeout:g} s.",
                hint="Take a shorter range or fewer rules, or raise rules.backtest.timeout.",
            ) from error
        finally:
            self._running -= 1
            _BACKTESTS.labels(outcome).inc()

    async def _run(self, request: Request, progress: Progress) -> BacktestResult:
        began = time.perf_counter()
        where = zone(request.timezone)
        if request.end <= request.start:
            raise BadBacktest("the range ends before it begins")
        period = Period(request.start, request.end, where)
        most = self._settings.max_alerts
        version = Version(self._querier, self._query, self._outside, period, most)
        planned = self._plan(request.groups, request, {})
        swept = swept_of(planned, request.sweep)
        other = None
        if request.other:
            other = self._plan(request.other, request, self._phases(request.groups))
        self._check_size([planned, *([other] if other else [])])
        parts = 2 if other else 1
        reports, sweep = await version.run(
            planned, swept, curves=request.curves, progress=lambda share: progress(share / parts)
        )
        compared = None
        if other is not None:
            theirs, _ = await version.run(
                other, None, curves=request.curves, progress=lambda share: progress((1 + share) / 2)
            )
            compared = against(reports, theirs, request.end)
        return BacktestResult(
            start=request.start,
            end=request.end,
            timezone=request.timezone,
            took=time.perf_counter() - began,
            evaluations=planned.evaluations + (other.evaluations if other else 0),
            rules=reports,
            sweep=sweep,
            against=compared,
            notes=version.notes,
        )

    def _plan(
        self, groups: Sequence[RuleGroup], request: Request, phases: Mapping[str, float]
    ) -> Plan:
        """The plan, beginning early enough to know what is pending and recorded at the start."""

        def from_(start: float) -> Plan:
            return plan(
                groups,
                start,
                request.end,
                only=request.alert,
                default_interval=self._default_interval,
                phases=phases,
            )

        at_once = from_(request.start)
        early = warm_up(at_once, request.sweep.holds, self._query.lookback)
        return from_(request.start - early) if early else at_once

    def _phases(self, groups: Sequence[RuleGroup]) -> dict[str, float]:
        """When the groups of the first version are evaluated: the other's of the same names too."""
        return {g.name: spread(g.key, g.interval or self._default_interval) for g in groups}

    def _check_size(self, plans: Sequence[Plan]) -> None:
        wanted = sum(each.evaluations for each in plans)
        if wanted > self._settings.max_evaluations:
            raise BadBacktest(
                f"this takes {wanted:,} evaluations of rules; "
                f"the limit is {self._settings.max_evaluations:,}.",
                hint="Take a shorter range or name one alert, "
                "or raise rules.backtest.max_evaluations.",
            )


async def backtest(
    querier: Querier,
    groups: Sequence[RuleGroup],
    start: float,
    end: float,
    *,
    alert: str = "",
    sweep: SweepValues | None = None,
    other: Sequence[RuleGroup] = (),
) -> BacktestResult:
    """One backtest with default settings; see ``Backtests.run``."""
    request = Request(groups, start, end, alert, sweep or SweepValues(), other)
    return await Backtests(querier).run(request)
