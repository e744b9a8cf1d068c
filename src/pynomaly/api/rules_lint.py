"""``GET /api/rules/lint``: what is wrong with the rules that are evaluated."""

from typing import Any, Protocol

from fastapi import APIRouter, Depends

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.rules.lint.finding import Finding


class Findings(Protocol):
    """Whoever looks at the rules."""

    async def findings(self) -> list[Finding]:
        """What is wrong with them, proven by stored series where that is possible."""
        ...


def router(lint: Findings) -> APIRouter:
    """The route under ``/api/rules``."""
    routes = APIRouter(prefix="/api/rules", tags=["rules"])
    may = [Depends(require(Action.METRICS_READ)), Depends(require(Action.RULES_READ))]

    @routes.get("/lint", dependencies=may)
    async def findings() -> dict[str, Any]:
        """Every finding, by file and group; made at most once in five minutes."""
        return {"findings": [finding.to_dict() for finding in await lint.findings()]}

    return routes
