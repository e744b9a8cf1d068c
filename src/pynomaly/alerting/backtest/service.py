"""Backtests of routing as they are asked for from outside."""

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.backtest.replay import PastAlert
from pynomaly.alerting.backtest.report import routing_backtest
from pynomaly.alerting.backtest.result import RoutingBacktest
from pynomaly.alerting.backtest.stored import STEP, stored_alerts
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.model.times import parse_moment
from pynomaly.promql.contract import Querier
from pynomaly.rules.backtest.errors import BacktestTimeout, BadBacktest, TooManyBacktests
from pynomaly.rules.backtest.pieces import Progress, part_of, silent
from pynomaly.rules.backtest.request import BacktestBody, request_of
from pynomaly.rules.backtest.result import BacktestResult
from pynomaly.rules.backtest.service import Backtests

_MOST_ALERTS = 100_000
_MOST_TEXT = 1 << 20
_TIMEOUT = 300.0
_READING = 0.5
"""How much of the way it is to read the alerts, as progress has it."""

ConfigText = Annotated[str, Field(max_length=_MOST_TEXT)]


class RoutingBacktestBody(BaseModel):
    """The body of ``POST /api/routes/backtest``."""

    model_config = ConfigDict(extra="forbid")

    alertmanager: ConfigText = ""
    """The text of an ``alertmanager.yml``; without it, the one in force."""
    against: ConfigText = ""
    """Another one, to compare."""
    rules: ConfigText = ""
    """The text of a rule file whose alerts are taken instead of those that fired."""
    from_: Annotated[str | float, Field(alias="from")] = "7d"
    to: str | float = "now"
    timezone: str = "UTC"


class RoutingBacktests:
    """Runs backtests of routing, one at a time."""

    def __init__(
        self,
        config: Callable[[], AlertmanagerConfig],
        querier: Querier,
        rules: Backtests,
        clock: Clock,
        maintenance: MaintenanceWindows | None = None,
    ) -> None:
        self._config = config
        self._querier = querier
        self._rules = rules
        self._clock = clock
        self._maintenance = maintenance
        self._running = False

    async def run(self, body: RoutingBacktestBody, progress: Progress = silent) -> RoutingBacktest:
        """Run one. Cancelling the awaiting task ends it.

        ``progress`` is told how far it is, from 0 to 1; also from another thread.

        Raises:
            BadBacktest: a time, a range or a time zone is none, or there are too many alerts.
            ConfigError: what is wrong with a configuration or the rules, with lines.
            QueryError: the alerts cannot be read.
            BacktestTimeout, TooManyBacktests: it takes too long; another one is under way.
        """
        if self._running:
            raise TooManyBacktests(
                "a backtest of routing is under way.", hint="Try again when it has ended."
            )
        self._running = True
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._run(body, progress)
        except TimeoutError as error:
            raise BacktestTimeout(
                f"the backtest took longer than {_TIMEOUT:g} s.", hint="Take a shorter range."
            ) from error
        finally:
            self._running = False

    async def _run(self, body: RoutingBacktestBody, progress: Progress) -> RoutingBacktest:
        config = _parsed(body.alertmanager, "alertmanager") or self._config()
        against = _parsed(body.against, "against")
        now = self._clock.now()
        start = _moment("from", body.from_, now)
        end = min(_moment("to", body.to, now), now)
        if end <= start:
            raise BadBacktest("the range ends before it begins")
        notes: list[str] = []
        reading = part_of(progress, 0, _READING)
        alerts = await self._alerts(body, start, end, notes, reading)
        if len(alerts) > _MOST_ALERTS:
            raise BadBacktest(
                f"there are {len(alerts):,} alerts; the limit is {_MOST_ALERTS:,}.",
                hint="Take a shorter range.",
            )
        stop = threading.Event()
        try:
            return await asyncio.to_thread(
                routing_backtest,
                alerts,
                config,
                start,
                end,
                against=against,
                timezone=body.timezone,
                notes=notes,
                cancelled=stop.is_set,
                maintenance=self._maintenance,
                progress=part_of(progress, _READING, 1),
            )
        finally:
            stop.set()

    async def _alerts(
        self,
        body: RoutingBacktestBody,
        start: float,
        end: float,
        notes: list[str],
        progress: Progress,
    ) -> list[PastAlert]:
        if not body.rules:
            notes.append(f"The times of alerts are those of ALERTS, to within {STEP:g} s.")
            return await stored_alerts(self._querier, start, end, progress)
        asked = {"rules": body.rules, "from": start, "to": end, "timezone": body.timezone}
        request = request_of(BacktestBody.model_validate({**asked, "curves": False}), end)
        result = await self._rules.run(request, progress)
        notes += notes_of(result)
        return alerts_of_rules(result)


def _parsed(text: str, source: str) -> AlertmanagerConfig | None:
    if not text:
        return None
    # Who may ask may not have files of the server read: templates are no part of it.
    return parse_alertmanager(text, source, Path(), templates=False)


def _moment(name: str, value: str | float, now: float) -> float:
    try:
        return parse_moment(str(value), now)
    except ValueError as error:
        raise BadBacktest(f"{name}: {error}") from error


def alerts_of_rules(result: BacktestResult) -> list[PastAlert]:
    """The alerts of a backtest of rules."""
    return [
        PastAlert(Labels(event.labels), event.fired_at, event.ended_at or math.inf)
        for report in result.rules
        for event in report.events
    ]


def notes_of(result: BacktestResult) -> Sequence[str]:
    """What a reader should know of the alerts."""
    left_out = [
        f"{report.events_left_out} alerts of {report.alert} are left out."
        for report in result.rules
        if report.events_left_out
    ]
    return [*result.notes, *left_out]
