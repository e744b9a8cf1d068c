"""The events of charts that pages draw themselves."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.calendar.charts import ChartEvents, series_of
from pynomaly.web.panels import encode

_Label = Annotated[str, Field(max_length=10_000)]
_Moment = Annotated[int, Field(ge=0, le=10**14)]


class HappenedSpec(BaseModel):
    """A chart: the labels of its series, the expression they come from, and its time (ms)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: Annotated[tuple[dict[_Label, _Label], ...], Field(max_length=500)] = ({},)
    expr: Annotated[str, Field(max_length=20_000)] = ""
    start: _Moment
    end: _Moment


def router(events: ChartEvents) -> APIRouter:
    """``/data/happened``."""
    routes = APIRouter(prefix="/data")

    @routes.post("/happened", dependencies=[Depends(require(Action.METRICS_READ))])
    async def happened(spec: HappenedSpec) -> Response:
        """The events that may concern one of the series."""
        series = [series_of(spec.expr, each) if spec.expr else each for each in spec.series]
        found = events.of(series, spec.start, spec.end)
        return Response(encode({"events": found}), media_type="application/json")

    return routes
