"""Rules of what is told of anomalies."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.rules.documents import rule_document, rule_documents
from pynomaly.detection.rules.service import AnomalyRules


def router(rules: AnomalyRules) -> APIRouter:
    """``/api/anomalies/rules``; it goes before the routes of ``/api/anomalies/<id>``."""
    routes = APIRouter(prefix="/api/anomalies/rules", tags=["anomalies"])
    writer = require(Action.ALERTS_WRITE)

    @routes.get("", dependencies=[Depends(require(Action.METRICS_READ))])
    async def every() -> dict[str, Any]:
        """All that hold: those of the configuration, then the others, the oldest first."""
        return {"rules": await rule_documents(rules)}

    @routes.post("", status_code=201)
    async def add(
        rule: AnomalyRule, who: Annotated[Principal, Depends(writer)], request: Request
    ) -> dict[str, Any]:
        """Make one, which holds at once."""
        kept = await rules.add(rule, who.name)
        audit_detail(request, rule=kept.id)
        return rule_document(kept, configured=False, matches=None)

    @routes.delete("/{rule_id}", status_code=204)
    async def remove(
        rule_id: str, _: Annotated[Principal, Depends(writer)], request: Request
    ) -> None:
        """Remove one, at once."""
        audit_detail(request, rule=rule_id)
        await rules.remove(rule_id)

    return routes
