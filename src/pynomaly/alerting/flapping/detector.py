"""Which alerts flap: changes of state in a window, newer ones weighing more.

As Nagios does it ("Detection and Handling of State Flapping", Nagios Core manual): the weight of
a change grows from 0.8 for the oldest to 1.2 for the newest, and there are two thresholds, so
that an alert between them stays what it is. Nagios counts over its last 21 checks; alerts are not
checked but begin and end, so here the window is one of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Gauge

from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.model.duration import format_duration
from pynomaly.observability import REGISTRY

_FLAPPING = Gauge(
    "pynomaly_alerting_flapping_alerts",
    "Alerts that begin and end again and again.",
    registry=REGISTRY,
)

_NEWEST, _FALL = 1.2, 0.4
_MOST_CHANGES = 1_000
"""Changes that are kept of an alert; it flaps long before that."""


@dataclass(frozen=True, slots=True)
class Flap:
    """An alert flaps ``since`` a time, and will be calm at ``calm_at`` unless it goes on.

    Times are epoch seconds; ``changes`` is the number within ``window`` seconds.
    """

    since: float
    changes: int
    window: float
    calm_at: float

    def __str__(self) -> str:
        return f"it flaps: {self.changes} changes within {format_duration(self.window)}"


class FlappingDetector:
    """Is told when alerts begin and end, and says which flap."""

    def __init__(self, settings: FlappingSettings) -> None:
        self.settings = settings
        self._changes: dict[str, list[float]] = {}
        self._since: dict[str, float] = {}

    def restore(self, fingerprint: str, changes: Sequence[float], since: float | None) -> None:
        """Take up what was before: the times of changes, and since when it flapped."""
        self._changes[fingerprint] = sorted(changes)[-_MOST_CHANGES:]
        if since is not None and self.settings.enabled:
            self._since[fingerprint] = since

    def changed(self, fingerprint: str, at: float, *, fires: bool) -> bool:
        """An alert began or ended; says whether it flaps now.

        Only one that begins to fire begins to flap, so that this is told with it.
        """
        if not self.settings.enabled:
            return False
        oldest = at - self.settings.window
        kept = [one for one in self._changes.get(fingerprint, ()) if one > oldest]
        self._changes[fingerprint] = [*kept, at][-_MOST_CHANGES:]
        score = self._score(fingerprint, at)
        if fingerprint in self._since:
            if score < self.settings.ends_below:
                del self._since[fingerprint]
        elif fires and score >= self.settings.begins_at:
            self._since[fingerprint] = at
        return fingerprint in self._since

    def flap(self, fingerprint: str, now: float) -> Flap | None:
        """How an alert flaps at a time; None if it does not. Changes nothing."""
        since = self._since.get(fingerprint)
        if since is None or self._score(fingerprint, now) < self.settings.ends_below:
            return None
        window = self.settings.window
        lately = [one for one in self._changes[fingerprint] if one > now - window]
        return Flap(since, len(lately), window, self._calm_at(lately, now))

    def calm_down(self, now: float) -> list[str]:
        """Forget changes that count no longer; returns the alerts that flap no more."""
        calm = [f for f in self._since if self._score(f, now) < self.settings.ends_below]
        for fingerprint in calm:
            del self._since[fingerprint]
        oldest = now - self.settings.window
        for fingerprint in [f for f, changes in self._changes.items() if changes[-1] <= oldest]:
            del self._changes[fingerprint]
        _FLAPPING.set(len(self._since))
        return calm

    def _score(self, fingerprint: str, now: float) -> float:
        window = self.settings.window
        ages = (now - at for at in self._changes.get(fingerprint, ()))
        return sum(_NEWEST - _FALL * age / window for age in ages if age < window)

    def _calm_at(self, changes: Sequence[float], now: float) -> float:
        """When the score falls below the lower threshold if nothing changes any more.

        Between the times at which a change leaves the window the score falls in a line.
        """
        window, low = self.settings.window, self.settings.ends_below
        at = now
        for number, oldest in enumerate(changes):
            alive = changes[number:]
            leaves = oldest + window
            sum_ = sum(_NEWEST + _FALL * one / window for one in alive)
            crosses = (sum_ - low) * window / (_FALL * len(alive))
            if crosses < leaves:
                return max(at, crosses)
            at = max(at, leaves)
        return at
