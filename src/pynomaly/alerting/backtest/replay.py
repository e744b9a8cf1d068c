"""Replays alerts of the past through a configuration, without a clock and without delivering.

The timers, inhibition, intervals and the deduplication are those of ``dispatch`` and ``pipeline``;
deliveries succeed at once, nothing is silenced; windows of maintenance hold. Times are epoch
seconds.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from typing import NamedTuple

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.backtest.windows import PastWindows
from pynomaly.alerting.dispatch.group import Group
from pynomaly.alerting.inhibition.inhibitor import Inhibitor
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.alerting.notifications.entry import Entry, State
from pynomaly.alerting.pipeline.deduplicate import why_tell
from pynomaly.model.alert import fingerprint
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match
from pynomaly.rules.backtest.pieces import Progress, silent


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that fired from ``fired_at`` to ``ended_at``; infinite: it fires on."""

    labels: Labels
    fired_at: float
    ended_at: float = math.inf


class Place(NamedTuple):
    """Who is told: a receiver, by one of its integrations (``slack[0]``)."""

    receiver: str
    integration: str


@dataclass(frozen=True, slots=True)
class PastNotification:
    """One that would have gone out. ``alerts``: what it lists, as numbers of the past alerts."""

    at: float
    place: Place
    group: str
    reason: str
    firing: tuple[int, ...]
    resolved: tuple[int, ...]


@dataclass(slots=True)
class Replayed:
    """What became of the alerts; they are spoken of by their number in the order given.

    ``held``: why an alert was held back, each reason once. ``routed``: the receivers of its
    routes, told or not.
    """

    notifications: list[PastNotification] = field(default_factory=list)
    held: dict[int, set[str]] = field(default_factory=dict)
    routed: dict[int, tuple[str, ...]] = field(default_factory=dict)


def replay(
    config: AlertmanagerConfig,
    alerts: Sequence[PastAlert],
    until: float,
    cancelled: Callable[[], bool] = lambda: False,
    maintenance: MaintenanceWindows | None = None,
    progress: Progress = silent,
) -> Replayed:
    """What would have been told from the first alert on until ``until``.

    ``maintenance``: the windows that hold alerts back. ``cancelled`` is asked now and then; when
    it says so, what was found so far is returned. ``progress`` is told how much of the alerts'
    beginnings and ends is replayed, from 0 to 1.
    """
    since = min((alert.fired_at for alert in alerts), default=until)
    windows = PastWindows(maintenance or MaintenanceWindows(), since, until)
    return _Replay(config, cancelled, windows).run(alerts, until, progress)


@dataclass(slots=True, eq=False)
class _Timed:
    """A group, when it was looked at last, and what each way was told of it.

    ``sleepy``: between changes of its alerts, only the repeat interval makes a difference.
    """

    group: Group
    told: dict[str, Entry]
    sleepy: bool
    looked_at: float | None = None
    version: int = 0


class _Change(NamedTuple):
    at: float
    begins: bool  # of alerts with the same labels, one ends before the next begins
    number: int


def _changes(alerts: Sequence[PastAlert], until: float) -> list[_Change]:
    found = [_Change(alert.fired_at, True, n) for n, alert in enumerate(alerts)]
    found += [_Change(alert.ended_at, False, n) for n, alert in enumerate(alerts)]
    return sorted(change for change in found if change.at < until)


class _Replay:
    def __init__(
        self, config: AlertmanagerConfig, cancelled: Callable[[], bool], windows: PastWindows
    ) -> None:
        self._cancelled = cancelled
        self._windows = windows
        self._root = build_routes(config)
        self._rules = config.rules_of_inhibition
        self._inhibitor = Inhibitor(self._rules)
        self._intervals = config.intervals
        self._ways: Mapping[str, Mapping[str, bool]] = {
            receiver.name: {
                f"{way.kind}[{way.index}]": way.config.send_resolved
                for way in receiver.integrations()
            }
            for receiver in config.receivers
        }
        self._groups: dict[tuple[int, Labels], _Timed] = {}
        self._logs: dict[tuple[str, str], dict[str, Entry]] = {}
        self._due: list[tuple[float, int, int, _Timed]] = []
        self._order = count()
        self._numbers: dict[str, int] = {}
        self._found = Replayed()

    def run(self, alerts: Sequence[PastAlert], until: float, progress: Progress) -> Replayed:
        """Alerts that begin or end at the time of a timer are there when it rings."""
        every, done = _changes(alerts, until), 0
        for at, those in groupby(every, key=lambda change: change.at):
            changes = list(those)
            progress(done / len(every))
            done += len(changes)
            self._ring(before=at)
            if self._cancelled():
                break
            received = [self._received(alerts[c.number], c) for c in changes]
            self._inhibitor.observe(received)  # first, so that nobody is told what is inhibited
            for alert in received:
                self._place(alert, at)
        self._ring(before=until)
        return self._found

    def _received(self, alert: PastAlert, change: _Change) -> ReceivedAlert:
        one = fingerprint(alert.labels)
        self._numbers[one] = change.number
        return ReceivedAlert(
            labels=alert.labels,
            annotations=Labels(),
            starts_at=alert.fired_at,
            ends_at=math.inf if change.begins else change.at,
            updated_at=change.at,
            fingerprint=one,
        )

    def _place(self, alert: ReceivedAlert, now: float) -> None:
        routes = self._root.match(alert.labels)
        number = self._numbers[alert.fingerprint]
        self._found.routed[number] = tuple(dict.fromkeys(route.receiver for route in routes))
        for route in routes:
            labels = route.group_labels(alert.labels)
            timed = self._groups.get((route.index, labels)) or self._begun(route, labels, now)
            timed.sleepy = timed.sleepy and not self._can_be_held(alert)
            timed.group.alerts[alert.fingerprint] = alert
            self._wake(timed, now)

    def _begun(self, route: Route, labels: Labels, now: float) -> _Timed:
        group = Group.of(route, labels, now + route.group_wait)
        told = self._logs.setdefault((route.receiver, group.key), {})
        timed = _Timed(
            group, told, sleepy=not (route.mute_time_intervals or route.active_time_intervals)
        )
        self._groups[route.index, labels] = timed
        self._schedule(timed, group.due)
        return timed

    def _can_be_held(self, alert: ReceivedAlert) -> bool:
        return self._windows.concern(alert) or any(
            all_match(rule.target_matchers, alert.labels) for rule in self._rules
        )

    def _schedule(self, timed: _Timed, due: float) -> None:
        timed.version += 1
        timed.group.due = due
        if due < math.inf:
            heapq.heappush(self._due, (due, next(self._order), timed.version, timed))

    def _wake(self, timed: _Timed, now: float) -> None:
        """A group that sleeps is looked at, at its next regular time."""
        if timed.looked_at is not None:
            due = _on_grid(timed, now)
            if due < timed.group.due:
                self._schedule(timed, due)

    def _ring(self, *, before: float) -> None:
        while self._due and self._due[0][0] < before and not self._cancelled():
            due, _, version, timed = heapq.heappop(self._due)
            if version == timed.version:
                self._look(timed, due)

    def _look(self, timed: _Timed, now: float) -> None:
        group = timed.group
        timed.looked_at = now
        present = dict(group.alerts)
        passed = self._not_held(group, now)
        if passed:
            self._tell(timed, passed, now)
        group.drop_resolved(present, now)
        if group.ended:
            del self._groups[group.route.index, group.labels]
        else:
            self._schedule(timed, self._next(timed, now))

    def _next(self, timed: _Timed, now: float) -> float:
        route = timed.group.route
        if not timed.sleepy:
            return now + route.group_interval
        repeats = [entry.at for entry in timed.told.values() if entry.state.firing]
        if not repeats:
            return math.inf
        # Not at this very time: something may have been told at it.
        due = _on_grid(timed, min(repeats) + route.repeat_interval - _ROUNDING)
        return max(due, now + route.group_interval)

    def _not_held(self, group: Group, now: float) -> list[ReceivedAlert]:
        """The alerts that are not inhibited, muted or in maintenance."""
        passed = []
        for alert in group.alerts.values():
            found = self._inhibitor.inhibited_by(alert.fingerprint, alert.labels, now)
            if found is None:
                passed.append(alert)
            else:
                self._hold([alert], f"inhibited by {found.rule}")
        route = group.route
        reason = ""
        active = route.active_time_intervals
        if active and not self._intervals.mutes(active, now):
            reason = f"outside of {', '.join(active)}"
        elif muting := self._intervals.mutes(route.mute_time_intervals, now):
            reason = f"muted during {', '.join(muting)}"
        if not reason:
            return [alert for alert in passed if not self._in_maintenance(alert, now)]
        self._hold(passed, reason)
        return []

    def _in_maintenance(self, alert: ReceivedAlert, now: float) -> bool:
        events = self._windows.holding(alert, now)
        for event in events:
            self._hold([alert], f"in the maintenance window {event.title!r}")
        return bool(events)

    def _hold(self, alerts: Iterable[ReceivedAlert], reason: str) -> None:
        for alert in alerts:
            number = self._numbers[alert.fingerprint]
            self._found.held.setdefault(number, set()).add(reason)

    def _tell(self, timed: _Timed, alerts: Sequence[ReceivedAlert], now: float) -> None:
        group, route = timed.group, timed.group.route
        ended = frozenset(alert.fingerprint for alert in alerts if alert.resolved(now))
        state = State(frozenset(alert.fingerprint for alert in alerts) - ended, ended)
        ways = self._ways.get(route.receiver, {})
        if not ways:
            self._hold(alerts, f"the receiver {route.receiver!r} has no channel")
        for name, send_resolved in ways.items():
            entry = timed.told.get(name)
            if entry is not None and entry.expires_at <= now:
                entry = None
            reason = why_tell(
                entry, state, send_resolved=send_resolved, since=now - route.repeat_interval
            )
            if reason is None:
                continue
            remembered = max(route.repeat_interval, route.group_interval, _REMEMBERED)
            timed.told[name] = Entry(state, now, now + 2 * remembered)
            if state.firing or send_resolved:
                self._note(group, name, reason, state, now, resolved=send_resolved)

    def _note(
        self, group: Group, name: str, reason: str, state: State, now: float, *, resolved: bool
    ) -> None:
        self._found.notifications.append(
            PastNotification(
                at=now,
                place=Place(group.route.receiver, name),
                group=group.key,
                reason=str(reason),
                firing=self._numbers_of(state.firing),
                resolved=self._numbers_of(state.resolved) if resolved else (),
            )
        )

    def _numbers_of(self, fingerprints: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted(self._numbers[one] for one in fingerprints))


_REMEMBERED = 1800.0
"""Half the seconds for which what was told is known at least, as in ``pipeline.deduplicate``."""

_ROUNDING = 1e-3
"""Seconds by which a repetition may come early, as in ``pipeline.deduplicate``."""


def _on_grid(timed: _Timed, at: float) -> float:
    """The first regular time of a group from ``at`` on, after it was looked at."""
    assert timed.looked_at is not None
    interval = timed.group.route.group_interval
    return timed.looked_at + max(math.ceil((at - timed.looked_at) / interval), 1) * interval
