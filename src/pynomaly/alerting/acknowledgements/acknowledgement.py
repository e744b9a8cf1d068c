"""That somebody has taken an alert on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """``by`` has taken on, ``at`` (epoch seconds), the alert that fires since ``started_at``."""

    fingerprint: str
    started_at: float
    at: float
    by: str
    comment: str = ""
