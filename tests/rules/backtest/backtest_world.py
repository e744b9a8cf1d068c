"""Stored history, a backtest of it, and the live evaluation of the same."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.episodes import Episode
from pynomaly.rules.backtest.plan import Plan, plan
from pynomaly.rules.backtest.report import Period
from pynomaly.rules.backtest.track import Variant
from pynomaly.rules.backtest.version import Version
from pynomaly.rules.config import RuleGroup, load_rules
from pynomaly.rules.group import GroupRunner
from pynomaly.rules.template import NOWHERE
from pynomaly.storage.samples.memory import MemorySamples

START = 1_700_000_000.0
SETTINGS = QuerySettings(lookback=40.0)

Events = list[tuple[float, str, str, float]]
"""When, the alert's labels, its new state, and its value."""


def series(text: str) -> Labels:
    """``up{a=1,b=2}`` as a label set."""
    name, _, rest = text.rstrip("}").partition("{")
    pairs = dict(pair.split("=") for pair in rest.split(",") if pair)
    return Labels({"__name__": name, **pairs})


def rows_of(
    history: Mapping[str, Sequence[float | str | None]], spacing: float = 10.0
) -> list[tuple[Labels, int, float]]:
    """Series by their samples every ``spacing`` seconds; None is a gap, ``"stale"`` the marker."""
    return [
        (
            series(text),
            round((START + index * spacing) * 1000),
            float(STALE) if isinstance(value, str) else value,
        )
        for text, values in history.items()
        for index, value in enumerate(values)
        if value is not None
    ]


async def stored(history: Mapping[str, Sequence[float | str | None]]) -> MemorySamples:
    """A store with the samples of ``rows_of``."""
    memory = MemorySamples()
    await memory.append(SampleBatch.of(rows_of(history)))
    return memory


def groups_of(text: str, name: str = "r.yml") -> list[RuleGroup]:
    """The groups of a rule file."""
    return load_rules(textwrap.dedent(text), name)


@dataclass
class World:
    """A store, with a querier over it."""

    store: MemorySamples
    executor: ThreadPoolExecutor

    def __post_init__(self) -> None:
        self.querier = LocalQuerier(self.store, self.executor, SETTINGS)

    async def backtest(self, groups: Sequence[RuleGroup], end: float) -> tuple[Plan, list[Episode]]:
        """Every alert that a backtest finds, those that only were pending included."""
        planned = plan(groups, START, end)
        period = Period(START, end, ZoneInfo("UTC"))
        version = Version(self.querier, SETTINGS, NOWHERE, period, 1000)
        found = await version.replayed(planned)
        targets = [each for each in found if each.member in planned.targets]
        return planned, [e for each in targets for e in each.episodes(Variant())]

    async def live(self, planned: Plan) -> tuple[Events, list[Episode]]:
        """The same of a live evaluation, group by group at the times of the plan."""
        runners: dict[str, GroupRunner] = {}
        due: list[tuple[float, str]] = []
        for member in planned.members:
            group = member.group
            if group.key not in runners:
                interval = member.schedule.step_ms / 1000
                runners[group.key] = GroupRunner(
                    group, interval, self.querier, self.store, lambda expr: ""
                )
                due += [(at, group.key) for at in member.schedule.times.tolist()]
        recorder = Recorder()
        for at, key in sorted(due, key=lambda pair: pair[0]):
            before = recorder.active(runners[key])
            changed = await runners[key].evaluate(at)
            recorder.note(at, changed, before, runners[key])
        return sorted(recorder.events), recorder.finish()


class Recorder:
    """Turns what live evaluations say into events, and into episodes with their extremes."""

    def __init__(self) -> None:
        self.events: Events = []
        self.open: dict[Labels, Episode] = {}
        self.closed: list[Episode] = []

    @staticmethod
    def active(runner: GroupRunner) -> set[Labels]:
        return {a.labels for state in runner.rules for a in state.alerts.active()}

    def note(
        self, at: float, changed: Iterable[Alert], before: set[Labels], runner: GroupRunner
    ) -> None:
        for alert in changed:
            labels = alert.labels
            if alert.state is AlertState.INACTIVE:
                self._close(labels, at, cleared=False)
                continue
            if labels not in self.open:
                value = alert.value
                self.open[labels] = Episode(labels, at, 0.0, 0.0, value, value, value)
                if not alert.fired_at:
                    self.events.append((at, str(labels), "pending", value))
            if alert.fired_at:
                self.open[labels].fired_at = alert.fired_at
                self.events.append((at, str(labels), "firing", self.open[labels].value))
        now = self.active(runner)
        for labels in before - now:
            if labels in self.open:
                self._close(labels, at, cleared=True)
        for state in runner.rules:
            for alert in state.alerts.active():
                episode = self.open[alert.labels]
                if alert.value == alert.value:
                    low, high = episode.low, episode.high
                    episode.low = alert.value if low != low else min(low, alert.value)
                    episode.high = alert.value if high != high else max(high, alert.value)

    def _close(self, labels: Labels, at: float, *, cleared: bool) -> None:
        episode = self.open.pop(labels)
        episode.ended_at, episode.cleared = at, cleared
        self.closed.append(episode)
        word = "cleared" if cleared else "inactive"
        self.events.append((at, str(labels), word, episode.value))

    def finish(self) -> list[Episode]:
        return [*self.closed, *self.open.values()]


def changes(found: Iterable[Episode]) -> Events:
    """Episodes as the changes that a live evaluation would have said."""
    events: Events = []
    for each in found:
        name = str(each.labels)
        if each.fired_at != each.pending_at:
            events.append((each.pending_at, name, "pending", each.value))
        if each.fired_at:
            events.append((each.fired_at, name, "firing", each.value))
        if each.ended_at:
            word = "cleared" if each.cleared else "inactive"
            events.append((each.ended_at, name, word, each.value))
    return sorted(events)
