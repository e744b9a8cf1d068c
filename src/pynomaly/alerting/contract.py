"""What passes between the stages of alerting, and what a channel owes."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pynomaly.alerting.notifications.entry import State
from pynomaly.alerting.verdict import Trace
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels


class Outcome(StrEnum):
    """What became of an attempt to deliver."""

    DELIVERED = "delivered"
    RETRYABLE = "retryable"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at delivering, as the explanation shows it. ``at``: epoch seconds it began.

    ``reason`` is for people and holds no secret.
    """

    at: float
    seconds: float
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """The state of a group of alerts, to be told to one receiver.

    ``alerts``: those that fire, and those that have just been resolved. ``at``: epoch seconds of
    the change. ``truncated``: how many alerts were left out. ``id`` is the same for every attempt
    to tell this state, also after a restart, so that a receiver can tell a repetition from news.
    After ``deadline`` (epoch seconds) trying again is pointless, since the group is looked at
    anew. ``memory`` is what the channel's last delivery to this group returned (the id of a
    message that can be updated), empty when the group was told nothing before. ``route_labels``:
    those of the route, their templates rendered. ``integration`` (``webhook[0]``) is empty until
    the ways of a receiver part; ``route`` is the id of the group's route, from which the
    intervals come (seconds, and names). ``state``: every alert that the group tells, also those
    that this integration leaves out. ``trace`` is where stages write down what they decide.
    """

    receiver: str
    group_key: str
    group_labels: Labels
    alerts: tuple[Alert, ...]
    at: float
    reason: str = ""
    truncated: int = 0
    id: str = ""
    deadline: float = math.inf
    memory: Mapping[str, str] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    route_labels: Labels = field(default_factory=lambda: Labels({}))
    integration: str = ""
    route: str = ""
    repeat_interval: float = math.inf
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    state: State = field(default_factory=State)
    trace: Trace = field(default_factory=Trace, compare=False)

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire."""
        return [a for a in self.alerts if a.state is AlertState.FIRING]

    @property
    def status(self) -> str:
        """``firing`` while any alert of the group fires, else ``resolved``."""
        return "firing" if self.firing else "resolved"


@dataclass(frozen=True, slots=True)
class Stopped:
    """A notification that goes no further, and why.

    ``failed``: it should have been delivered and was not, so that its group tries again.
    """

    reason: str
    failed: bool = False
    attempts: tuple[Attempt, ...] = ()


class Stage(Protocol):
    """One step on the way of a notification; the list of them is what alerting does."""

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass it on, changed or not, or stop it. May wait for as long as it takes."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one attempt. ``reason`` is for people and holds no secret.

    ``memory`` is kept with the group and given to its next notification; None keeps what is.
    ``retry_after``: seconds that the receiver asks to be left alone for.
    """

    outcome: Outcome
    reason: str = ""
    memory: Mapping[str, str] | None = None
    retry_after: float = 0.0


class Channel(Protocol):
    """A way to tell a receiver."""

    name: str
    """The kind of channel, as metrics say it."""

    async def deliver(self, notification: Notification) -> Delivery:
        """Try once. Says in its answer whether trying again can help; does not raise."""
        ...

    async def close(self) -> None:
        """Give up what is held open. Idempotent."""
        ...


@runtime_checkable
class Acknowledging(Protocol):
    """A channel that can say that somebody works on what it told of."""

    async def acknowledge(self, notification: Notification) -> Delivery:
        """Try once, for the group of a notification; does not raise."""
        ...


class AlertFeed(Protocol):
    """Where the alerts come from."""

    def recent(self) -> Sequence[Alert]:
        """The firing alerts, and those resolved within the last 15 minutes."""
        ...

    def unsettled(self) -> Collection[str]:
        """Names of alerts of which it is not known yet whether they fire."""
        ...
