"""Notifications that test whether a receiver is reached."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from pynomaly.alerting.contract import Attempt, Notification, Stopped
from pynomaly.alerting.delivery.receivers import Receivers
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels

_OPEN_INCIDENTS = frozenset({"pagerduty", "opsgenie", "victorops", "incidentio", "jira"})
"""What would stay open: these are told at once that it is over."""

_LABELS = Labels({"alertname": "PynomalyTest", "severity": "info"})
_ANNOTATIONS = Labels(
    {
        "summary": "A test: nothing is wrong",
        "description": "Somebody tested with `pynomaly notify test` whether this receiver is told.",
    }
)


@dataclass(frozen=True, slots=True)
class Trial:
    """How one try went, at one integration of a receiver."""

    receiver: str
    integration: str
    delivered: bool
    reason: str
    attempts: tuple[Attempt, ...]

    @classmethod
    def of(cls, receiver: str, integration: str, told: Notification | Stopped) -> "Trial":
        """What came of it. There are no attempts where its rate limit let none through."""
        if isinstance(told, Stopped):
            reason = told.attempts[-1].reason if told.attempts else told.reason
            return cls(receiver, integration, False, reason, told.attempts)
        return cls(receiver, integration, True, told.attempts[-1].reason, told.attempts)


async def try_out(receivers: Receivers, channel: str, now: float) -> list[Trial]:
    """Send a test notification to ``RECEIVER``, ``RECEIVER/KIND[N]`` or every ``KIND``.

    Raises:
        NoSuchReceiver: none is called so.
    """
    found = []
    for receiver, integration in receivers.matching(channel):
        for notification in trials(receiver, integration, now):
            told = await receivers.once(notification)
            found.append(Trial.of(receiver, integration, told))
            if isinstance(told, Stopped):
                break
    return found


def trials(receiver: str, integration: str, now: float) -> Iterator[Notification]:
    """One that fires, and where that opens an incident another that closes it."""
    identity = str(uuid.uuid4())
    kind = integration.partition("[")[0]
    for ended in (False, True) if kind in _OPEN_INCIDENTS else (False,):
        alert = Alert(
            labels=_LABELS,
            annotations=_ANNOTATIONS,
            state=AlertState.INACTIVE if ended else AlertState.FIRING,
            value=1.0,
            active_at=now,
            fired_at=now,
            resolved_at=now if ended else 0.0,
        )
        yield Notification(
            receiver=receiver,
            group_key=f'{{}}:{{alertname="PynomalyTest",test="{identity}"}}',
            group_labels=Labels({"alertname": "PynomalyTest"}),
            alerts=(alert,),
            at=now,
            reason="all alerts resolved" if ended else "first notification",
            id=f"{identity}-{int(ended)}",
            integration=integration,
        )
