"""Running stages one after the other."""

from collections.abc import Sequence

from pynomaly.alerting.contract import Notification, Stage, Stopped


async def run(stages: Sequence[Stage], notification: Notification) -> Notification | Stopped:
    """Through every stage, until one stops it."""
    for stage in stages:
        passed = await stage(notification)
        if isinstance(passed, Stopped):
            return passed
        notification = passed
    return notification
