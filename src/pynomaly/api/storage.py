"""What the store says of itself."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.prometheus.parameters import MAX_TIME_MS, MIN_TIME_MS, Form
from pynomaly.api.prometheus.selections import parse_any_selection
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import Matcher

Verify = Callable[[], Awaitable[dict[str, Any]]]
Count = Callable[[Sequence[Sequence[Matcher]], int, int], Awaitable[tuple[int, int]]]


def router(verify: Verify, count: Count) -> APIRouter:
    """``GET /api/storage/verify``: counts of rows, duplicates and orphans; reads everything.

    ``GET /api/storage/count``: series and samples of ``match[]`` between ``start`` and ``end``,
    as deleting them takes these; reads them.
    """
    routes = APIRouter(
        prefix="/api/storage", tags=["storage"], dependencies=[Depends(require(Action.ADMIN))]
    )

    @routes.get("/verify")
    async def report() -> dict[str, Any]:
        """The report of ``pynomaly storage verify``."""
        return await verify()

    @routes.get("/count")
    async def counts(request: Request) -> dict[str, int]:
        """How much deleting would delete."""
        form = await Form.of(request)
        selections = [parse_any_selection(text) for text in form.all("match[]")]
        if not selections:
            raise BadInput("no match[] parameter provided")
        start, end = form.time_or("start", MIN_TIME_MS), form.time_or("end", MAX_TIME_MS)
        series, samples = await count(selections, start, end)
        return {"series": series, "samples": samples}

    return routes
