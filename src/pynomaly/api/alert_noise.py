"""Less noise: acknowledgements, suppression rules, and the report of rules that tell in vain."""

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import Field

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.alerting.acknowledgements.acknowledging import Acknowledged, acknowledge, withdraw
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.noise.documents import report_document
from pynomaly.alerting.noise.service import NoiseReports
from pynomaly.alerting.suppression.rule import SuppressionRule, read_rule
from pynomaly.alerting.suppression.service import Suppression
from pynomaly.api.rules import rfc3339
from pynomaly.model.clock import Clock
from pynomaly.model.document import Section

_READ = [Depends(require(Action.ALERTS_READ))]
_WRITE = [Depends(require(Action.ALERTS_WRITE))]
_Writer = Annotated[Principal, Depends(require(Action.ALERTS_WRITE))]


class AlertingParts(Protocol):
    """What the routes work with."""

    @property
    def manager(self) -> AlertManager:
        """It acknowledges, and has the rules."""
        ...

    @property
    def reports(self) -> NoiseReports:
        """They read what is kept of firings."""
        ...


class AcknowledgeRequest(Section):
    """``by``: who takes it on; else whoever is logged in."""

    comment: str = Field(default="", max_length=10_000)
    by: str = Field(default="", max_length=200)


def router(alerting: AlertingParts, clock: Clock) -> APIRouter:
    """A part of ``/api/alerts``."""
    routes = APIRouter(prefix="/api/alerts", tags=["alerts"])
    _add_acknowledgements(routes, alerting.manager, clock)
    _add_rules(routes, alerting.manager.noise.suppression)

    @routes.get("/noise", dependencies=_READ)
    async def noise(
        since: Annotated[str, Query(alias="from")] = "30d",
        to: str = "now",
        timezone: str = "UTC",
        name: str = "",
        limit: int = 50,
    ) -> dict[str, Any]:
        """Rules by the notifications that nobody acted on, and what a change would have saved."""
        report = await alerting.reports.report(since, to, timezone=timezone, name=name, limit=limit)
        return report_document(report)

    return routes


def _add_acknowledgements(routes: APIRouter, manager: AlertManager, clock: Clock) -> None:
    @routes.post("/{fingerprint}/acknowledge")
    async def take_on(
        fingerprint: str,
        request: Request,
        who: _Writer,
        wanted: Annotated[AcknowledgeRequest | None, Body()] = None,
    ) -> dict[str, Any]:
        """Take an alert on: it is not repeated; its end is told."""
        wanted = wanted or AcknowledgeRequest()
        audit_detail(request, alert=fingerprint)
        by = wanted.by or who.name
        return acknowledged_document(
            await acknowledge(manager, clock, fingerprint, by, wanted.comment)
        )

    @routes.delete("/{fingerprint}/acknowledge", dependencies=_WRITE)
    async def take_back(fingerprint: str, request: Request) -> dict[str, Any]:
        """Take an acknowledgement back: the alert is repeated again."""
        audit_detail(request, alert=fingerprint)
        kept = await withdraw(manager, clock, fingerprint)
        return {"fingerprint": fingerprint, "withdrawn": {"by": kept.by, "at": rfc3339(kept.at)}}


def acknowledged_document(done: Acknowledged) -> dict[str, Any]:
    """An acknowledgement, and who was let know."""
    kept = done.acknowledgement
    return {
        "fingerprint": kept.fingerprint,
        "by": kept.by,
        "at": rfc3339(kept.at),
        "comment": kept.comment,
        "passed_on": [
            {
                "receiver": one.receiver,
                "integration": one.integration,
                "outcome": one.delivery.outcome.value,
                "reason": one.delivery.reason,
            }
            for one in done.passed_on
        ],
    }


def _add_rules(routes: APIRouter, suppression: Suppression) -> None:
    @routes.get("/suppression-rules", dependencies=_READ)
    async def rules() -> dict[str, Any]:
        """Those in force: of the configuration, then those given here."""
        return {"suppression_rules": [rule_document(rule) for rule in suppression.rules()]}

    @routes.post("/suppression-rules")
    async def add(
        document: Annotated[dict[str, Any], Body()], request: Request, who: _Writer
    ) -> dict[str, Any]:
        """Keep a rule, in place of the one of its name that was given here."""
        settings = read_rule(document)
        audit_detail(request, rule=settings.name)
        return rule_document(await suppression.add(settings, who.name))

    @routes.delete("/suppression-rules/{name:path}", dependencies=_WRITE)
    async def remove(name: str, request: Request) -> dict[str, Any]:
        """Forget a rule that was given here."""
        audit_detail(request, rule=name)
        return {"removed": rule_document(await suppression.remove(name))}


def rule_document(rule: SuppressionRule) -> dict[str, Any]:
    """A rule in the form in which it is given, and where it comes from."""
    return {
        "name": rule.name,
        "conditions": dict(rule.conditions or {}),
        "source": rule.source,
        "created_by": rule.created_by,
        "created_at": rfc3339(rule.created_at) if rule.created_at else None,
    }
