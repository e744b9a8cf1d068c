"""One time that an alert fired."""

from dataclasses import dataclass
from typing import NamedTuple


class FiringKey(NamedTuple):
    """Which alert, and since when it fired (epoch seconds)."""

    fingerprint: str
    started_at: float


@dataclass(slots=True)
class Firing:
    """From ``started_at`` to ``ended_at`` (epoch seconds; None: it fires still).

    ``notifications``: how many were occasioned by it, over all receivers. ``acknowledged_at`` and
    ``silenced_at``: when a person acted on it. ``flapping``: it began while its alert flapped.
    ``again``: it began within an hour of one that was not ``again``, so that a rule that allows
    one in an hour would have held it back.
    """

    fingerprint: str
    started_at: float
    name: str
    severity: str
    ended_at: float | None = None
    notifications: int = 0
    acknowledged_at: float | None = None
    silenced_at: float | None = None
    flapping: bool = False
    again: bool = False

    @property
    def key(self) -> FiringKey:
        """What identifies it."""
        return FiringKey(self.fingerprint, self.started_at)
