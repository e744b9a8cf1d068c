"""What suppression rules, flapping and acknowledgements mean for an alert; changes nothing."""

from dataclasses import replace

from pynomaly.alerting.alertmanager.routes import Route
from pynomaly.alerting.dispatch.group import group_key
from pynomaly.alerting.explain.explanation import NoiseStanding
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.pipeline import flapping, suppress
from pynomaly.alerting.pipeline.stages import told_as_firing
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.alert import Alert, AlertState


def standing(manager: AlertManager, alert: Alert, now: float) -> NoiseStanding:
    """How an alert stands that fires."""
    noise = manager.noise
    by: dict[str, None] = {}
    if noise.suppression.rules():
        for route in manager.setup.route.match(alert.labels):
            held = held_by_noise(manager, alert, route, now)
            if held is not None and held.stage == suppress.STAGE:
                by.update(dict.fromkeys(held.by))
    known = manager.alerts.get(alert.fingerprint)
    started_at = known.starts_at if known is not None else alert.fired_at
    return NoiseStanding(
        tuple(by),
        noise.acknowledgements.of(alert.fingerprint, started_at),
        noise.flapping.flap(alert.fingerprint, now),
    )


def held_by_noise(manager: AlertManager, alert: Alert, route: Route, now: float) -> Verdict | None:
    """What the stages ``Flapping`` and ``Suppress`` say of an alert by a route."""
    key = group_key(route, route.group_labels(alert.labels))
    told = told_as_firing(manager.log, manager.setup.ways)(route.receiver, key)
    noise = manager.noise
    if alert.fingerprint in told:
        flap = noise.flapping.flap(alert.fingerprint, now)
        if flap is not None and flapping.waits(alert, noise.flapping.settings):
            return flapping.verdict(flap)
        return None
    if alert.state is not AlertState.FIRING:
        return None
    found = noise.suppression.held(suppress.candidate(alert, route.receiver))
    return suppress.verdict(found) if found is not None else None


def as_told(alert: Alert, held: Verdict | None) -> Alert | None:
    """How an alert is told that a stage has a verdict on; None where it is left out."""
    if held is None:
        return alert
    if held.stage != flapping.STAGE:
        return None
    return replace(alert, state=AlertState.FIRING, resolved_at=0.0)
