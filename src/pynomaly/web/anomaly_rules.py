"""What the page of anomalies asks of rules, and does."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.rules.documents import rule_document, rule_documents
from pynomaly.detection.rules.service import AnomalyRules
from pynomaly.web.panels import encode


def router(rules: AnomalyRules) -> APIRouter:
    """Everything under ``/data/anomalies/rules``; it goes before ``/data/anomalies/<id>``."""
    routes = APIRouter(prefix="/rules")
    writer = require(Action.ALERTS_WRITE)

    @routes.get("", dependencies=[Depends(require(Action.METRICS_READ))])
    async def every() -> Response:
        """All that hold."""
        return _json({"rules": await rule_documents(rules)})

    @routes.post("", status_code=201)
    async def add(
        rule: AnomalyRule, who: Annotated[Principal, Depends(writer)], request: Request
    ) -> Response:
        """Make one, which holds at once."""
        kept = await rules.add(rule, who.name)
        audit_detail(request, rule=kept.id)
        return _json(rule_document(kept, configured=False, matches=None))

    @routes.post("/{rule_id}/remove")
    async def remove(
        rule_id: str, _: Annotated[Principal, Depends(writer)], request: Request
    ) -> Response:
        """Remove one, at once."""
        audit_detail(request, rule=rule_id)
        await rules.remove(rule_id)
        return _json({})

    return routes


def _json(data: object) -> Response:
    return Response(encode(data), media_type="application/json")
