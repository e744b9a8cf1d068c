"""A notification that could not be delivered."""

from dataclasses import dataclass

from pynomaly.alerting.contract import Notification
from pynomaly.alerting.notifications.entry import Place


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The newest state of a group that an integration could not be told.

    ``first_at`` and ``last_at``: epoch seconds of the first failure since the integration was told
    anything of the group, and of the last. ``times``: how often it was given up. ``reason`` is the
    last attempt's; it holds no secret.
    """

    notification: Notification
    first_at: float
    last_at: float
    times: int
    reason: str

    @property
    def id(self) -> str:
        """The same as long as the same integration cannot be told of the same group."""
        return self.place.digest

    @property
    def place(self) -> Place:
        """Who was to be told of what."""
        told = self.notification
        return Place(told.receiver, told.integration, told.group_key)
