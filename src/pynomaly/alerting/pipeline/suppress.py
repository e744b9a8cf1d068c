"""Hold back what a suppression rule counts as one too many."""

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.pipeline.holding import Told, without
from pynomaly.alerting.suppression.counts import Candidate, Suppressed
from pynomaly.alerting.suppression.service import Suppression
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.times import utc

STAGE = "suppress"


class Suppress:
    """New alerts pass as long as the rules allow; what a receiver knows of is never held back.

    So the end of an alert that was told always comes through, and one that was held back ends
    without a word.
    """

    def __init__(self, suppression: Suppression, told: Told) -> None:
        self._suppression = suppression
        self._told = told

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on what is not one too many."""
        rules = self._suppression.rules()
        if not rules:
            return notification
        told = self._told(notification.receiver, notification.group_key)
        new = [alert for alert in notification.alerts if alert.fingerprint not in told]
        firing = [alert for alert in new if alert.state is AlertState.FIRING]
        candidates = [candidate(alert, notification.receiver) for alert in firing]
        found = await self._suppression.pass_or_hold(candidates)
        held = {fingerprint: verdict(one) for fingerprint, one in found.items()}
        for alert in new:
            if alert.state is not AlertState.FIRING and any(r.takes(alert.labels) for r in rules):
                held[alert.fingerprint] = Verdict(STAGE, "nobody was told that it fired")
        return without(notification, held, "every alert is suppressed")


def candidate(alert: Alert, receiver: str) -> Candidate:
    """An alert as the rules count it."""
    return Candidate(receiver, alert.fingerprint, alert.fired_at, alert.labels)


def verdict(held: Suppressed) -> Verdict:
    """What a rule says, in words."""
    reason = (
        f"{held.rule}; told was {held.last.name or held.last.fingerprint} at "
        f"{utc(held.last.at)}; passes again at {utc(held.until)}"
    )
    return Verdict(STAGE, reason, (held.rule.name,))
