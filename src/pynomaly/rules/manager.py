"""Every group of rules on the scheduler, and what they found."""

import functools
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import xxhash
from prometheus_client import Gauge

from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.document import ConfigError
from pynomaly.model.errors import PynomalyError
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Querier
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.evaluate import Link, RuleState, explore_link
from pynomaly.rules.group import GroupRunner, stale_batch
from pynomaly.rules.template import NOWHERE, Outside
from pynomaly.storage.bus import Bus
from pynomaly.storage.samples.contract import Appender
from pynomaly.storage.scheduler import Scheduler

log = logging.getLogger(__name__)

_ALERTS = Gauge("pynomaly_alerts", "Alerts of all rules by state.", ["state"], registry=REGISTRY)

TOPIC = "alerts"

Elsewhere = Callable[[RuleGroup], tuple[Querier, Appender] | None]


class RuleManager:
    """Evaluates rule groups, keeps their alerts, and publishes what changed.

    The bus topic ``alerts`` carries ``{"changed": [alert as a dictionary, …]}`` after each
    evaluation that changed the state of an alert. ``elsewhere`` may say for a group that it reads
    from and writes to another place than the rest.
    """

    def __init__(
        self,
        querier: Querier,
        appender: Appender,
        bus: Bus,
        clock: Clock,
        scheduler: Scheduler,
        *,
        link: Link | None = None,
        outside: Outside = NOWHERE,
        default_interval: float = 60.0,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._querier = querier
        self._appender = appender
        self._elsewhere = elsewhere
        self._bus = bus
        self._clock = clock
        self._scheduler = scheduler
        self._link = link or explore_link("")
        self._outside = outside
        self._default_interval = default_interval
        self._runners: dict[str, GroupRunner] = {}
        self._began = clock.now()

    async def apply(
        self, groups: Sequence[RuleGroup], *, default_interval: float | None = None
    ) -> None:
        """Evaluate exactly these groups from now on.

        A group that is as before goes on undisturbed; in one that changed, rules of the same
        name and labels keep their alerts; what is gone is marked stale. ``default_interval`` is
        the seconds for groups that say none; unchanged if not given.

        Raises:
            ConfigError: two groups of one file have the same name; nothing was changed.
        """
        keys = [group.key for group in groups]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise ConfigError(f"the group {twice!r} is given twice")
        if default_interval is not None:
            self._default_interval = default_interval
        for key in self._runners.keys() - set(keys):
            await self._remove(key)
        for group in groups:
            await self._place(group)
        # In the order of the files, as /api/v1/rules shows them.
        self._runners = {key: self._runners[key] for key in keys}
        self._count()

    def groups(self) -> list[GroupRunner]:
        """Every group with its rules, in the order given."""
        return list(self._runners.values())

    def rules(self) -> list[RuleState]:
        """Every rule with its state, in the order given."""
        return [state for runner in self._runners.values() for state in runner.rules]

    def alerts(self) -> list[Alert]:
        """The pending and firing alerts."""
        return [a for r in self._runners.values() for s in r.rules for a in s.alerts.active()]

    def recent(self) -> list[Alert]:
        """The firing alerts, and those resolved within the last 15 minutes."""
        every = (
            a for r in self._runners.values() for s in r.rules for a in s.alerts.alerts.values()
        )
        return [a for a in every if a.state is not AlertState.PENDING]

    def unsettled(self) -> Collection[str]:
        """Names of alerts whose rules have not been evaluated well since they were loaded.

        That such an alert is not there does not mean that it is resolved.
        """
        states = (s for r in self._runners.values() for s in r.rules)
        return {s.rule.alert for s in states if s.rule.alert and not s.settled}

    async def close(self) -> None:
        """Stop evaluating. Series are not marked stale, so that a restart takes up from here."""
        for key in self._runners:
            await self._scheduler.cancel(_job(key))

    async def _place(self, group: RuleGroup) -> None:
        interval = group.interval or self._default_interval
        old = self._runners.get(group.key)
        if old is not None and old.group == group and old.interval == interval:
            return
        querier, appender = self._place_of(group)
        runner = GroupRunner(
            group,
            interval,
            querier,
            appender,
            self._link,
            self._outside,
            restores_before=self._began,
        )
        if old is not None:
            await self._scheduler.cancel(_job(group.key))
            runner.take_over(old)
        self._runners[group.key] = runner
        work = functools.partial(self._evaluate, runner)
        offset = spread(group.key, interval)
        self._scheduler.every(_job(group.key), interval, work, offset=offset, group="rules")

    def _place_of(self, group: RuleGroup) -> tuple[Querier, Appender]:
        other = self._elsewhere(group) if self._elsewhere is not None else None
        return other or (self._querier, self._appender)

    async def _remove(self, key: str) -> None:
        await self._scheduler.cancel(_job(key))
        runner = self._runners.pop(key)
        active = (a for state in runner.rules for a in state.alerts.active())
        self._publish([replace(a, state=AlertState.INACTIVE) for a in active])
        if series := runner.series():
            try:
                _, appender = self._place_of(runner.group)
                await appender.append(stale_batch(series, now_ms(self._clock)))
            except PynomalyError as error:
                # They go stale by themselves after the lookback time.
                log.warning("series of the removed group %s stay for 5 minutes: %s", key, error)

    async def _evaluate(self, runner: GroupRunner, due: float) -> None:
        changed = await runner.evaluate(due)
        self._count()
        self._publish(changed)

    def _publish(self, changed: Sequence[Alert]) -> None:
        if changed:
            self._bus.publish(TOPIC, {"changed": [_message(alert) for alert in changed]})

    def _count(self) -> None:
        active = self.alerts()
        for state in (AlertState.PENDING, AlertState.FIRING):
            _ALERTS.labels(state.value).set(sum(a.state is state for a in active))


def spread(key: str, interval: float) -> float:
    """The offset of a group within its interval: the same after each restart, even over groups."""
    return xxhash.xxh64_intdigest(key.encode()) / 2**64 * interval


def _job(key: str) -> str:
    return f"rules {key}"


def _message(alert: Alert) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "state": alert.state.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": alert.value,
    }
