"""From a replay to what a person reads."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.backtest.replay import (
    PastAlert,
    PastNotification,
    Place,
    Replayed,
    replay,
)
from pynomaly.alerting.backtest.result import (
    Rerouted,
    RoutingBacktest,
    RoutingReport,
    UnheardAlert,
    WayReport,
)
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.rules.backtest import statistics
from pynomaly.rules.backtest.pieces import Progress, part_of, silent

_NIGHT = (22, 7)
_TOO_SHORT = "it ended before its group was told"


@dataclass(frozen=True, slots=True)
class _Period:
    start: float
    end: float
    where: ZoneInfo

    def is_night(self, at: float) -> bool:
        hour = datetime.fromtimestamp(at, self.where).hour
        return hour >= _NIGHT[0] or hour < _NIGHT[1]


def routing_backtest(
    alerts: Sequence[PastAlert],
    config: AlertmanagerConfig,
    start: float,
    end: float,
    *,
    against: AlertmanagerConfig | None = None,
    timezone: str = "UTC",
    notes: Sequence[str] = (),
    cancelled: Callable[[], bool] = lambda: False,
    maintenance: MaintenanceWindows | None = None,
    progress: Progress = silent,
) -> RoutingBacktest:
    """Who would have been told of the alerts within ``[start, end]``, how often, and when.

    Alerts that began before ``start`` are replayed from their beginning, those of windows of
    ``maintenance`` are held back. It takes its time: run it in a thread, and let ``cancelled`` say
    when nobody waits for it any more; ``progress`` is told how far it is, from 0 to 1.

    Raises:
        BadBacktest: there is no time zone of this name.
    """
    period = _Period(start, end, statistics.zone(timezone))
    alerts = [alert for alert in alerts if alert.ended_at >= start and alert.fired_at < end]
    parts = 1 if against is None else 2
    first = part_of(progress, 0, 1 / parts)
    found = replay(config, alerts, end, cancelled, maintenance, first)
    other = None
    if against is not None:
        second = part_of(progress, 1 / parts, 1)
        other = replay(against, alerts, end, cancelled, maintenance, second)
    return RoutingBacktest(
        start=start,
        end=end,
        timezone=timezone,
        alerts=len(alerts),
        report=_report(alerts, config, found, period),
        against=_report(alerts, against, other, period) if against and other else None,
        rerouted=_rerouted(alerts, found, other) if other else [],
        notes=list(notes),
    )


def _report(
    alerts: Sequence[PastAlert], config: AlertmanagerConfig, found: Replayed, period: _Period
) -> RoutingReport:
    told: dict[Place, list[PastNotification]] = defaultdict(list)
    for note in found.notifications:
        if note.at >= period.start:
            told[note.place].append(note)
    places = [
        Place(receiver.name, f"{way.kind}[{way.index}]")
        for receiver in config.receivers
        for way in receiver.integrations()
    ]
    heard = {number for note in found.notifications for number in note.firing}
    return RoutingReport(
        notifications=sum(map(len, told.values())),
        ways=[_way(place, told.get(place, ()), period) for place in places],
        heard=len(heard),
        unheard=[
            _unheard(alert, found, number)
            for number, alert in enumerate(alerts)
            if number not in heard
        ],
    )


def _way(place: Place, notes: Sequence[PastNotification], period: _Period) -> WayReport:
    times = [note.at for note in notes]
    return WayReport(
        receiver=place.receiver,
        integration=place.integration,
        notifications=len(notes),
        per_week=statistics.per_week(len(notes), period.start, period.end),
        at_night=sum(map(period.is_night, times)),
        alerts=len({number for note in notes for number in note.firing}),
        reasons=dict(Counter(note.reason for note in notes)),
        weeks=statistics.weeks(times, period.start, period.end, period.where),
        hours=statistics.hours(times, period.where),
    )


def _unheard(alert: PastAlert, found: Replayed, number: int) -> UnheardAlert:
    return UnheardAlert(
        labels=dict(alert.labels),
        fired_at=alert.fired_at,
        ended_at=None if math.isinf(alert.ended_at) else alert.ended_at,
        receivers=list(found.routed.get(number, ())),
        reasons=sorted(found.held.get(number, {_TOO_SHORT})),
    )


def _rerouted(alerts: Sequence[PastAlert], a: Replayed, b: Replayed) -> list[Rerouted]:
    """The alerts of which others are told."""
    by_a, by_b = _told_of(a), _told_of(b)
    return [
        Rerouted(
            labels=dict(alert.labels),
            fired_at=alert.fired_at,
            a=sorted(by_a[number]),
            b=sorted(by_b[number]),
        )
        for number, alert in enumerate(alerts)
        if by_a[number] != by_b[number]
    ]


def _told_of(found: Replayed) -> defaultdict[int, set[str]]:
    told: defaultdict[int, set[str]] = defaultdict(set)
    for note in found.notifications:
        for number in note.firing:
            told[number].add(note.place.receiver)
    return told
