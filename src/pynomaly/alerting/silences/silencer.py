"""Whether an alert is silenced, remembered per alert so that asking again costs next to nothing.

As Alertmanager's ``silence.Silencer``: what matched an alert is kept with the version of the
silences it was found at. While that stands, and nothing matched, there is nothing to look at.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pynomaly.alerting.silences.service import Silences
from pynomaly.alerting.silences.silence import SilenceState
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    ids: tuple[str, ...] = ()


class Silencer:
    """Says which silences mute an alert now."""

    def __init__(self, silences: Silences, clock: Clock) -> None:
        self._silences = silences
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def silenced_by(self, fingerprint: str, labels: Labels) -> tuple[str, ...]:
        """The ids of the active silences that match an alert; empty if it is not silenced."""
        known = self._known.get(fingerprint)
        version = self._silences.version
        if known is not None and known.version == version and not known.ids:
            return ()
        found = {s.id: s for s in self._silences.unexpired(known.ids if known else ())}
        if known is None or known.version != version:
            since = known.version if known else 0
            found |= {s.id: s for s in self._silences.matching(labels, since)}
        self._known[fingerprint] = _Known(version, tuple(found))
        now = self._clock.now()
        return tuple(s.id for s in found.values() if s.state(now) is SilenceState.ACTIVE)

    def forget(self, fingerprints: Iterable[str]) -> None:
        """These alerts are no more."""
        for fingerprint in fingerprints:
            self._known.pop(fingerprint, None)
