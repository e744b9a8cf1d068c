"""An alert as it was received: it fires from one moment to another, which may lie ahead."""

from dataclasses import dataclass

from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """Times are epoch seconds. ``fingerprint`` identifies the labels.

    ``timeout``: nobody said when it ends; it does at ``ends_at`` unless it is sent again.
    ``updated_at`` is when it was received last; the later one of two is believed. ``source`` says
    where it came from.
    """

    labels: Labels
    annotations: Labels
    starts_at: float
    ends_at: float
    updated_at: float
    fingerprint: str
    timeout: bool = False
    generator_url: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        """The label ``alertname``."""
        return self.labels.get("alertname", "")

    def resolved(self, now: float) -> bool:
        """Whether it has ended."""
        return self.ends_at <= now

    def overlaps(self, other: "ReceivedAlert") -> bool:
        """Whether ``other``, sent later, begins or ends while this one fires."""
        return (
            self.starts_at < other.ends_at < self.ends_at
            or self.starts_at < other.starts_at < self.ends_at
        )

    def at(self, now: float) -> Alert:
        """How it stands at ``now``: firing, or resolved."""
        ended = self.resolved(now)
        return Alert(
            labels=self.labels,
            annotations=self.annotations,
            state=AlertState.INACTIVE if ended else AlertState.FIRING,
            value=float("nan"),
            active_at=self.starts_at,
            fired_at=self.starts_at,
            resolved_at=self.ends_at if ended else 0.0,
            generator_url=self.generator_url,
            known_fingerprint=self.fingerprint,
        )


def merge(old: ReceivedAlert, new: ReceivedAlert, now: float) -> ReceivedAlert:
    """One alert of two of the same labels whose times overlap, as Alertmanager's ``Merge``.

    The earlier start counts. The later sent end counts, unless both have ended and the other
    ended later, or it fires on and the other, which was given an end, ends later.
    """
    if new.updated_at < old.updated_at:
        old, new = new, old
    ends_at = new.ends_at
    if old.ends_at > ends_at:
        keeps = old.resolved(now) if new.resolved(now) else not old.timeout
        ends_at = old.ends_at if keeps else ends_at
    return ReceivedAlert(
        new.labels,
        new.annotations,
        min(old.starts_at, new.starts_at),
        ends_at,
        new.updated_at,
        new.fingerprint,
        new.timeout,
        new.generator_url,
        new.source,
    )
