"""What one integration of a receiver was told last of one group."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import xxhash


class Place(NamedTuple):
    """Who is told of what: a receiver, one of its integrations (``webhook[0]``), and a group."""

    receiver: str
    integration: str
    group_key: str

    @property
    def digest(self) -> str:
        """A short key for it: a group's key may be longer than a database's index takes."""
        return xxhash.xxh128_hexdigest("\xff".join(self))


@dataclass(frozen=True, slots=True)
class State:
    """The alerts of a group, by fingerprint, as one notification tells them."""

    firing: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()


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

    After ``expires_at`` it counts as never told. ``memory`` is the channel's.
    """

    state: State = State()
    at: float = 0.0
    expires_at: float = 0.0
    notification_id: str = ""
    memory: Mapping[str, str] = field(default_factory=dict)
    intent: Intent | None = None
