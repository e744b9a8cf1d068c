"""What is remembered of each notification: who was told what, when, why, and how it went."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pynomaly.alerting.contract import Attempt, Outcome
from pynomaly.alerting.notifications.entry import Place, State


@dataclass(frozen=True, slots=True)
class Sent:
    """One notification. ``at``: epoch seconds of the group's tick. ``outcome``: of all attempts."""

    id: str
    at: float
    place: Place
    route: str
    group_labels: Mapping[str, str]
    reason: str
    outcome: Outcome
    attempts: tuple[Attempt, ...]
    state: State


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which notifications: empty fields do not restrict. ``since <= at <= until``."""

    since: float = 0.0
    until: float = math.inf
    receiver: str = ""
    group_key: str = ""
    fingerprints: Collection[str] | None = None
    limit: int = 100
