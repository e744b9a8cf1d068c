"""The delivery log: who was told of what, when, and how that went."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.cluster.member import Member
from pynomaly.alerting.delivery.letter import DeadLetter
from pynomaly.alerting.explain.service import Explainer
from pynomaly.alerting.notifications.history import HistoryFilter, Sent
from pynomaly.web.alerts.why import sent_json

Snapshot = dict[str, Any]

MOST_READ = 1_000
"""Notifications of a range that are searched, the newest."""

_MOST_SHOWN = 300
_ALERTS_NAMED = 20


@dataclass(frozen=True, slots=True)
class DeliverySearch:
    """``since <= at <= until`` in epoch seconds; every word of ``text`` must be found."""

    since: float
    until: float
    receiver: str = ""
    outcome: str = ""
    text: str = ""


async def deliveries_json(search: DeliverySearch, explainer: Explainer) -> Snapshot:
    """Notifications, the newest first. ``cut``: that the range has more than were searched.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    wanted = HistoryFilter(search.since, search.until, search.receiver, limit=MOST_READ)
    read = await explainer.who_was_told((), wanted)
    found = [(sent, alerts) for sent, alerts in read if _matches(search, sent, alerts)]
    return {
        "total": len(found),
        "failed": sum(sent.outcome != "delivered" for sent, _ in found),
        "cut": len(read) == MOST_READ,
        "deliveries": [_row(sent, alerts) for sent, alerts in found[:_MOST_SHOWN]],
    }


def _matches(search: DeliverySearch, sent: Sent, alerts: Sequence[ReceivedAlert]) -> bool:
    if search.outcome and (sent.outcome == "delivered") is not (search.outcome == "delivered"):
        return False
    words = search.text.lower().split()
    if not words:
        return True
    labels = [sent.group_labels, *(alert.labels for alert in alerts)]
    told = " ".join(f"{n}={v}" for each in labels for n, v in each.items())
    how = " ".join(attempt.reason for attempt in sent.attempts)
    place = f"{sent.place.receiver} {sent.place.integration}"
    everything = f"{place} {sent.reason} {sent.outcome} {told} {how}".lower()
    return all(word in everything for word in words)


def _row(sent: Sent, alerts: Sequence[ReceivedAlert]) -> Snapshot:
    return {
        **sent_json(sent),
        "alerts": [
            {
                "id": alert.fingerprint,
                "name": alert.name,
                "labels": {n: v for n, v in alert.labels.items() if n != "alertname"},
                "firing": alert.fingerprint in sent.state.firing,
            }
            for alert in alerts[:_ALERTS_NAMED]
        ],
    }


def letter_json(letter: DeadLetter) -> Snapshot:
    """What could not be delivered."""
    told = letter.notification
    return {
        "id": letter.id,
        "receiver": told.receiver,
        "integration": told.integration,
        "group_labels": dict(told.group_labels),
        "status": told.status,
        "alerts": [
            {"id": alert.fingerprint, "name": alert.name} for alert in told.alerts[:_ALERTS_NAMED]
        ],
        "alert_count": len(told.alerts),
        "first_at": letter.first_at,
        "last_at": letter.last_at,
        "times": letter.times,
        "reason": letter.reason,
    }


def member_json(member: Member) -> Snapshot:
    """An Alertmanager that alerts are sent to, and how it is."""
    return {"url": member.base, "trouble": member.trouble, "waiting": member.waiting}
