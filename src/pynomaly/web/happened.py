"""The events of charts that pages draw themselves."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.calendar.charts import ChartEvents, Document, series_of

_Label = Annotated[str, Field(max_length=10_000)]
_Moment = Annotated[int, Field(ge=0, le=10**14)]


class HappenedSpec(BaseModel):
    """A chart: the labels of its series, the expression they come from, and its time (ms)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: Annotated[tuple[dict[_Label, _Label], ...], Field(max_length=500)] = ({},)
    expr: Annotated[str, Field(max_length=20_000)] = ""
    start: _Moment
    end: _Moment


def happened(spec: HappenedSpec, events: ChartEvents) -> list[Document]:
    """The events that may concern one of its series."""
    series = [series_of(spec.expr, each) if spec.expr else each for each in spec.series]
    return events.of(series, spec.start, spec.end)
