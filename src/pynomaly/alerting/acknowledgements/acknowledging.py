"""Take an alert on, and let those know who can pass it on."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pynomaly.alerting.acknowledgements.acknowledgement import Acknowledgement
from pynomaly.alerting.acknowledgements.errors import NotAcknowledged, NotFiring
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.contract import Delivery, Notification
from pynomaly.alerting.dispatch.group import Group
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.notifications.entry import Place
from pynomaly.alerting.pipeline.stages import Way
from pynomaly.model.clock import Clock
from pynomaly.model.errors import BadInput

_LONGEST = 10_000


class PassedOn(NamedTuple):
    """How an integration of a receiver took the acknowledgement."""

    receiver: str
    integration: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is kept, and who was let know: where all that fires of a group is acknowledged."""

    acknowledgement: Acknowledgement
    passed_on: tuple[PassedOn, ...]


async def acknowledge(
    manager: AlertManager, clock: Clock, fingerprint: str, by: str, comment: str = ""
) -> Acknowledged:
    """Take on an alert that fires: nobody is told of it again, but of its end.

    Raises:
        NotFiring: no alert of this fingerprint fires.
        BadInput: the comment is too long.
        RecordsError: it could not be stored; nothing has changed.
    """
    if len(comment) > _LONGEST:
        raise BadInput(f"the comment has {len(comment)} characters; {_LONGEST} is the most")
    alert = _firing(manager, clock, fingerprint)
    kept = Acknowledgement(fingerprint, alert.starts_at, clock.now(), by, comment)
    await manager.noise.acknowledgements.keep(kept)
    waiting = [
        _pass_on(group, way, manager, clock)
        for group in _groups(manager, alert)
        if _all_acknowledged(manager, clock, group)
        for way in manager.setup.ways.get(group.route.receiver, ())
        if way.acknowledge is not None
    ]
    passed_on = await asyncio.gather(*waiting)
    return Acknowledged(kept, tuple(one for one in passed_on if one is not None))


async def withdraw(manager: AlertManager, clock: Clock, fingerprint: str) -> Acknowledgement:
    """Take an acknowledgement back: who is to be told again, is.

    Raises:
        NotFiring: no alert of this fingerprint fires.
        NotAcknowledged: nobody has acknowledged it.
        RecordsError: it could not be stored; nothing has changed.
    """
    alert = _firing(manager, clock, fingerprint)
    kept = manager.noise.acknowledgements.of(fingerprint, alert.starts_at)
    if kept is None:
        raise NotAcknowledged("Nobody has acknowledged it.")
    await manager.noise.acknowledgements.withdraw(kept)
    return kept


def _firing(manager: AlertManager, clock: Clock, fingerprint: str) -> ReceivedAlert:
    alert = manager.alerts.get(fingerprint)
    if alert is None or alert.resolved(clock.now()):
        raise NotFiring(
            f"No alert of the fingerprint {fingerprint} fires.",
            hint="GET /api/alerts/active lists those that do.",
        )
    return alert


def _groups(manager: AlertManager, alert: ReceivedAlert) -> Iterator[Group]:
    for route in manager.setup.route.match(alert.labels):
        group = manager.dispatcher.group_of(route, alert.labels)
        if group is not None:
            yield group


def _all_acknowledged(manager: AlertManager, clock: Clock, group: Group) -> bool:
    """Whether an incident that stands for the group has somebody for all of it."""
    now, of = clock.now(), manager.noise.acknowledgements.of
    firing = [alert for alert in group.alerts.values() if not alert.resolved(now)]
    return all(of(alert.fingerprint, alert.starts_at) is not None for alert in firing)


async def _pass_on(group: Group, way: Way, manager: AlertManager, clock: Clock) -> PassedOn | None:
    """None where nothing was told that could be acknowledged."""
    receiver, now = group.route.receiver, clock.now()
    entry = manager.log.get(Place(receiver, way.name, group.key))
    if way.acknowledge is None or entry is None or not entry.state.firing:
        return None
    notification: Notification = group.notification(now, now)
    return PassedOn(receiver, way.name, await way.acknowledge(notification))
