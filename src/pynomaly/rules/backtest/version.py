"""One version of the rules over one range: replayed, counted, reported."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Querier
from pynomaly.promql.nodes import Node
from pynomaly.promql.printer import to_text
from pynomaly.rules.backtest.curves import Envelope
from pynomaly.rules.backtest.errors import BadBacktest
from pynomaly.rules.backtest.missing import no_data, shown, stored_selectors, without_data
from pynomaly.rules.backtest.overlay import Ledger, Source
from pynomaly.rules.backtest.pieces import Progress, silent
from pynomaly.rules.backtest.plan import Member, Plan
from pynomaly.rules.backtest.replay import replay
from pynomaly.rules.backtest.report import Period, report_of, sweep_row
from pynomaly.rules.backtest.result import RuleReport, Sweep
from pynomaly.rules.backtest.threshold import chosen, comparison_of, with_number
from pynomaly.rules.backtest.track import Alerting, Recording, Variant
from pynomaly.rules.template import Outside

_MOST_COMBINATIONS = 200


@dataclass(frozen=True, slots=True)
class SweepValues:
    """Other values to try: each threshold with each ``for`` (seconds).

    ``position`` says which threshold: 0 is the only one, 1 the first of several.
    """

    thresholds: Sequence[float] = ()
    holds: Sequence[float] = ()
    position: int = 0

    def __bool__(self) -> bool:
        return bool(self.thresholds or self.holds)


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """A rule and the combinations to try; ``node`` is the expression of each combination."""

    member: Member
    threshold: str
    given: float | None
    variants: Sequence[tuple[Node, Variant]]


def swept_of(planned: Plan, values: SweepValues) -> Swept | None:
    """What a sweep tries; None if nothing is to be swept.

    Raises:
        BadBacktest: there are several alerts, or no such threshold, or too many combinations.
    """
    if not values:
        return None
    if len(planned.targets) > 1:
        names = ", ".join(sorted({m.rule.alert for m in planned.targets}))
        raise BadBacktest(
            f"a sweep is of one alert, and there are {len(planned.targets)}: {names}.",
            hint="Name one of them (--alert NAME).",
        )
    (member,) = planned.targets
    holds: list[float | None] = list(values.holds) or [None]
    if len(holds) * max(len(values.thresholds), 1) > _MOST_COMBINATIONS:
        raise BadBacktest(f"a sweep has at most {_MOST_COMBINATIONS} combinations")
    if not values.thresholds:
        return Swept(member, "", None, [(member.node, Variant(None, hold)) for hold in holds])
    found = chosen(member.node, values.position)
    at_root = comparison_of(member.node) is not None
    variants = []
    for value, hold in product(values.thresholds, holds):
        # A number at the root is compared with here: the expression is asked for only once.
        node = member.node if at_root else with_number(member.node, found.path, value)
        variants.append((node, Variant(value, hold)))
    return Swept(member, found.of, found.value, variants)


class Version:
    """Replays a plan. ``notes`` is what a reader should know of it."""

    def __init__(
        self,
        querier: Querier,
        settings: QuerySettings,
        outside: Outside,
        period: Period,
        most_alerts: int,
    ) -> None:
        self._querier = querier
        self._settings = settings
        self._outside = outside
        self._period = period
        self._most_alerts = most_alerts
        self.notes: list[str] = []

    async def run(
        self, planned: Plan, swept: Swept | None, *, curves: bool, progress: Progress
    ) -> tuple[list[RuleReport], Sweep | None]:
        """Every target's report, and the table of the sweep.

        Raises:
            NoData: nothing is stored of what any target reads, and none fires for that reason.
            BacktestFailed, QueryTimeout: as ``replay``.
        """
        found = await self.replayed(planned, swept, curves=curves, progress=progress)
        own = {each.member: each for each in found if Variant() in each.variants}
        targets = [own[member] for member in planned.targets]
        await self._note_data(planned, targets)
        reports = [
            await report_of(each, self._period, self._most_alerts, self._querier, self._outside)
            for each in targets
        ]
        table = None if swept is None else await asyncio.to_thread(self._table, swept, found)
        return reports, table

    async def replayed(
        self,
        planned: Plan,
        swept: Swept | None = None,
        *,
        curves: bool = False,
        progress: Progress = silent,
    ) -> list[Alerting]:
        """Every alerting rule of a plan after history has passed by."""
        found = await self._replayed(planned, swept, frozenset(), curves, progress)
        exceeding = frozenset(
            [each.member for each in found if await asyncio.to_thread(each.exceeds_limit)]
        )
        if not exceeding:
            return found
        # Only the machine itself knows what is cleared then.
        return await self._replayed(planned, swept, exceeding, curves, progress)

    async def _replayed(
        self,
        planned: Plan,
        swept: Swept | None,
        exceeding: frozenset[Member],
        curves: bool,
        progress: Progress,
    ) -> list[Alerting]:
        source = Source(self._querier, planned.writers, self._settings)
        recordings = [Recording(m, source) for m in planned.writers if m.rule.record]
        alerting = [
            self._alerting(member, node, variants, planned, source, exceeding, curves)
            for member in planned.members
            if member.rule.alert
            for node, variants in _by_expression(member, swept)
        ]
        await replay(planned, source, [*recordings, *alerting], progress)
        for each in recordings:
            if each.failures.count:
                self._note(
                    f"{each.member.rule.record} was not recorded at {each.failures.count} "
                    f"evaluations: {each.failures.message}"
                )
        return alerting

    def _alerting(
        self,
        member: Member,
        node: Node,
        variants: Sequence[Variant],
        planned: Plan,
        source: Source,
        exceeding: frozenset[Member],
        curves: bool,
    ) -> Alerting:
        own = Variant() in variants
        written = own and member in planned.writers
        comparison = comparison_of(node)
        envelope = None
        if own and curves and member in planned.targets:
            low = comparison is not None and comparison.wants_low
            envelope = Envelope(len(member.schedule.times), low)
        return Alerting(
            member,
            node,
            source,
            variants,
            self._outside,
            Ledger(source.recorded) if written else None,
            member in exceeding,
            envelope,
        )

    async def _note_data(self, planned: Plan, targets: Sequence[Alerting]) -> None:
        start, end = self._period.start, self._period.end
        recorded = Source(self._querier, planned.writers, self._settings)
        selectors = [
            each
            for each in stored_selectors(member.node for member in planned.members)
            if recorded.stored_part(each) == each
        ]
        if any(each.data is None for each in targets):
            missing = await without_data(
                self._querier, selectors, round(start * 1000), round(end * 1000)
            )
            if missing == selectors and missing and all(each.data is None for each in targets):
                raise await no_data(self._querier, missing, start, end)
            for each in missing:
                self._note(f"nothing is stored of {to_text(each)} in this range")
        for target in targets:
            if target.data is None:
                continue
            slack = 2 * target.member.schedule.step_ms / 1000
            first, last = target.data
            if first > start + slack:
                self._note(f"{target.member.rule.alert} has values only from {shown(first)} on")
            if last < end - slack:
                self._note(f"{target.member.rule.alert} has values only until {shown(last)}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _table(self, swept: Swept, found: Sequence[Alerting]) -> Sweep:
        rows = []
        for node, variant in swept.variants:
            alerting = next(
                each
                for each in found
                if each.member is swept.member and each.node is node and variant in each.variants
            )
            as_given = variant.threshold in (None, swept.given) and variant.hold in (
                None,
                swept.member.rule.hold,
            )
            rows.append(sweep_row(alerting, variant, self._period, as_given=as_given))
        return Sweep(alert=swept.member.rule.alert, threshold=swept.threshold, rows=rows)


def _by_expression(member: Member, swept: Swept | None) -> list[tuple[Node, Sequence[Variant]]]:
    """The expressions by which the variants of a rule are evaluated, its own first."""
    own: list[Variant] = [Variant()]
    others: dict[int, tuple[Node, list[Variant]]] = {}
    if swept is not None and swept.member is member:
        for node, variant in swept.variants:
            if node is member.node:
                own.append(variant)
            else:
                others.setdefault(id(node), (node, []))[1].append(variant)
    return [(member.node, own), *others.values()]
