"""An alert: what a rule found, from its first pending moment to its resolution."""

from dataclasses import dataclass, field
from enum import StrEnum

import xxhash

from pynomaly.model.labels import Labels, canonical


class AlertState(StrEnum):
    """The states of an alert, in Prometheus's words."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert instance. Times are epoch seconds; ``resolved_at`` is 0 while it is active.

    ``keep_firing_since`` is set while it fires only because of ``keep_firing_for``.
    ``known_fingerprint`` spares working it out where it is known.
    """

    labels: Labels
    annotations: Labels
    state: AlertState
    value: float
    active_at: float
    fired_at: float = 0.0
    resolved_at: float = 0.0
    generator_url: str = ""
    keep_firing_since: float = 0.0
    known_fingerprint: str = field(default="", repr=False, compare=False)

    @property
    def name(self) -> str:
        """The label ``alertname``."""
        return self.labels.get("alertname", "")

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the label set."""
        return self.known_fingerprint or fingerprint(self.labels)


def fingerprint(labels: Labels) -> str:
    """16 hexadecimal digits that identify the label set of an alert."""
    return xxhash.xxh64_hexdigest(canonical(labels))
