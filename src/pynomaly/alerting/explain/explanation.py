"""The answer to "why was somebody told of this alert, and why not?"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pynomaly.alerting.acknowledgements.acknowledgement import Acknowledgement
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.flapping.detector import Flap
from pynomaly.alerting.notifications.history import Sent
from pynomaly.alerting.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Telling:
    """Where one integration of a receiver stands. Times are epoch seconds, 0 for never.

    ``reason``: why something would be told now, or why nothing is. ``last``: the newest
    notification of the alert by it, with its attempts.
    """

    integration: str
    tells: bool
    reason: str
    told_at: float
    repeats_at: float
    last: Sent | None


@dataclass(frozen=True, slots=True)
class Path:
    """The way of the alert to one receiver, as it stands now.

    ``held``: what holds it back; None if nothing does. ``next_at``: when its group is looked at
    next, 0 if it is in no group. ``change``: what would have to change for the other outcome.
    """

    receiver: str
    route: str
    group_key: str
    group_wait: float
    group_interval: float
    repeat_interval: float
    next_at: float
    held: Verdict | None
    tellings: tuple[Telling, ...]
    change: str


@dataclass(frozen=True, slots=True)
class NoiseStanding:
    """``suppressed_by``: the rules that hold an alert back from some receiver."""

    suppressed_by: tuple[str, ...] = ()
    acknowledgement: Acknowledgement | None = None
    flap: Flap | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of an alert. ``verdicts`` and ``sent``: its past, the newest first.

    ``noise``: the rules that suppress it, who acknowledged it, and whether it flaps.
    """

    alert: ReceivedAlert
    firing: bool
    paths: tuple[Path, ...]
    verdicts: Sequence[dict[str, Any]]
    sent: Sequence[Sent]
    noise: NoiseStanding
