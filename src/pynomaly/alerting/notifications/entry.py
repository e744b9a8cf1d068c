"""What one integration of a receiver was told last of one group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import xxhash

from pynomaly.model.alert import Alert, AlertState


class Place(NamedTuple):
    """Who is told of what: a receiver, one of its integrations (``webhook[0]``), and a group."""

    receiver: str
    integration: str
    group_key: str

    @property
    def digest(self) -> str:
        """A short key for it: a group's key may be longer than a database's index takes."""
        return xxhash.xxh128_hexdigest("\0".join(self).encode())


@dataclass(frozen=True, slots=True)
class State:
    """The alerts of a group, by fingerprint, as one notification tells them."""

    firing: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()

    @classmethod
    def of(cls, alerts: Iterable[Alert]) -> "State":
        """The state that these alerts are in."""
        alerts = list(alerts)
        firing = frozenset(a.fingerprint for a in alerts if a.state is AlertState.FIRING)
        return cls(firing, frozenset(alert.fingerprint for alert in alerts) - firing)


@dataclass(frozen=True, slots=True)
class Intent:
    """A notification that was begun; if the process dies now, it may have been delivered or not.

    Whoever tells the same state again does so under the same ``id``.
    """

    id: str
    at: float
    state: State


@dataclass(frozen=True, slots=True)
class Entry:
    """What was told (``state``), when (epoch seconds; 0: nothing yet), and what was begun since.

    Some time after ``expires_at`` it is forgotten. ``memory`` is the channel's.
    """

    state: State = State()
    at: float = 0.0
    expires_at: float = 0.0
    notification_id: str = ""
    memory: Mapping[str, str] = field(default_factory=dict)
    intent: Intent | None = None
