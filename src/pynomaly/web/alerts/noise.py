"""Less noise on the pages: acknowledge, suppress, and which rules tell in vain."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.alerting.acknowledgements.acknowledging import acknowledge, withdraw
from pynomaly.alerting.noise.documents import report_document
from pynomaly.alerting.suppression.rule import SuppressionRule, read_rule
from pynomaly.model.clock import Clock
from pynomaly.web.deps import AlertingDeps
from pynomaly.web.panels import encode

Snapshot = dict[str, Any]

_READ = [Depends(require(Action.ALERTS_READ))]
_WRITE = [Depends(require(Action.ALERTS_WRITE))]
_Writer = Annotated[Principal, Depends(require(Action.ALERTS_WRITE))]
_Moment = Annotated[float, Query(ge=0, le=1e11)]


class AcknowledgeSpec(BaseModel):
    """What is said with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    comment: Annotated[str, Field(max_length=10_000)] = ""


def add_noise(routes: APIRouter, alerting: AlertingDeps, clock: Clock) -> None:
    """What the pages ask for, and do."""
    _add_acknowledgements(routes, alerting, clock)
    suppression = alerting.manager.noise.suppression

    @routes.get("/noise", dependencies=_READ)
    async def noise(
        since: _Moment, until: _Moment, timezone: Annotated[str, Query(max_length=100)] = "UTC"
    ) -> Response:
        """The report of rules, and the suppression rules in force."""
        report = await alerting.reports.report(str(since), str(until), timezone=timezone)
        rules = [_rule(rule) for rule in suppression.rules()]
        return _json({**report_document(report), "suppression_rules": rules})

    @routes.post("/suppression-rules")
    async def suppress(
        document: Annotated[dict[str, Any], Body()], request: Request, who: _Writer
    ) -> Response:
        """Keep a rule."""
        settings = read_rule(document)
        audit_detail(request, rule=settings.name)
        return _json(_rule(await suppression.add(settings, who.name)))

    @routes.post("/suppression-rules/remove", dependencies=_WRITE)
    async def remove(name: Annotated[str, Body(embed=True)], request: Request) -> Response:
        """Forget a rule."""
        audit_detail(request, rule=name)
        return _json(_rule(await suppression.remove(name)))


def _add_acknowledgements(routes: APIRouter, alerting: AlertingDeps, clock: Clock) -> None:
    @routes.post("/alerts/{fingerprint}/acknowledge")
    async def take_on(
        fingerprint: str, spec: AcknowledgeSpec, request: Request, who: _Writer
    ) -> Response:
        """Take an alert on."""
        audit_detail(request, alert=fingerprint)
        done = await acknowledge(alerting.manager, clock, fingerprint, who.name, spec.comment)
        told = [
            {"receiver": one.receiver, "outcome": one.delivery.outcome.value}
            for one in done.passed_on
        ]
        return _json({"id": fingerprint, "passed_on": told})

    @routes.post("/alerts/{fingerprint}/withdraw", dependencies=_WRITE)
    async def take_back(fingerprint: str, request: Request) -> Response:
        """Take an acknowledgement back."""
        audit_detail(request, alert=fingerprint)
        await withdraw(alerting.manager, clock, fingerprint)
        return _json({"id": fingerprint})


def _rule(rule: SuppressionRule) -> Snapshot:
    return {
        "name": rule.name,
        "conditions": dict(rule.conditions or {}),
        "source": rule.source,
        "by": rule.created_by,
    }


def _json(data: Any) -> Response:
    return Response(encode(data), media_type="application/json")
