"""A querier that answers by script and an appender that keeps what it is given."""

from collections.abc import Mapping

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.samples import Appended, SampleBatch, SeriesSamples, is_stale
from pynomaly.promql.contract import Matrix, QueryResult

NO_SAMPLES = SeriesSamples([], np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))

Answer = Mapping[str, float] | Exception


def labels(text: str) -> Labels:
    """``a=1,b=2`` as a label set."""
    return Labels(dict(pair.split("=") for pair in text.split(",") if pair))


class Scripted:
    """Answers each expression with the series that ``answers`` holds now; nothing is stored."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, int]] = []

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        if expr.startswith("ALERTS_FOR_STATE{"):  # nothing was active before
            return QueryResult(NO_SAMPLES)
        self.asked.append((expr, at_ms))
        answer = self.answers.get(expr, {})
        if isinstance(answer, Exception):
            raise answer
        values = np.array([list(answer.values())]).T.reshape(len(answer), 1)
        present = np.ones((len(answer), 1), dtype=np.bool_)
        found = Matrix([labels(t) for t in answer], np.array([at_ms]), values, present)
        return QueryResult(found)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        return QueryResult(Matrix.empty(np.arange(start_ms, end_ms + 1, step_ms)))


class Kept:
    """An appender. ``refuses`` is raised instead of storing while it is set."""

    def __init__(self) -> None:
        self.batches: list[SampleBatch] = []
        self.refuses: Exception | None = None

    async def append(self, batch: SampleBatch) -> Appended:
        if self.refuses is not None:
            raise self.refuses
        self.batches.append(batch)
        return Appended(len(batch))

    def take(self) -> dict[str, float | str]:
        """What was stored since the last call: series to value, or ``stale``."""
        rows: dict[str, float | str] = {}
        for batch in self.batches:
            for number, value, stale in zip(
                batch.ids.tolist(), batch.values.tolist(), is_stale(batch.values), strict=True
            ):
                rows[str(batch.labels[number])] = "stale" if stale else value
        self.batches.clear()
        return rows
