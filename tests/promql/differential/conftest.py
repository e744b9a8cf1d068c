"""Prometheus and our engine, on the same data."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import orjson
import pytest
from differential_data import END, Series, build
from differential_servers import Prometheus, Query, running_prometheus

from pynomaly.api.encoding import encode_result
from pynomaly.model.clock import FakeClock
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore
from tests.conftest import find_server, unused_port


class Ours:
    """Our engine, answering in Prometheus's form."""

    def __init__(self, runner: asyncio.Runner, querier: LocalQuerier) -> None:
        self._runner = runner
        self._querier = querier

    def ask(self, query: Query) -> dict[str, Any]:
        return self._runner.run(self._ask(query))

    async def _ask(self, query: Query) -> dict[str, Any]:
        start, end, step = (round(s * 1000) for s in (query.start, query.end, query.step))
        try:
            if step:
                result = await self._querier.range(query.expr, start, end, step)
            else:
                result = await self._querier.instant(query.expr, start)
        except PynomalyError as error:
            return {"status": "error", "errorType": error.kind, "error": error.message}
        answer: dict[str, Any] = orjson.loads(encode_result(result, instant=not step))
        return answer


def batch_of(data: Mapping[Labels, Series]) -> SampleBatch:
    ids = [series_id(labels) for labels in data]
    columns = list(data.values())
    return SampleBatch(
        ids=np.repeat(np.array(ids, dtype=np.uint64), [len(times) for times, _ in columns]),
        ts=np.concatenate([times for times, _ in columns]),
        values=np.concatenate([values for _, values in columns]),
        labels=dict(zip(ids, data, strict=True)),
    )


@pytest.fixture(scope="module")
def data() -> dict[Labels, Series]:
    return build()


@pytest.fixture(scope="module")
def theirs(
    data: dict[Labels, Series], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    program = find_server("prometheus")
    assert program
    folder = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(program, unused_port(), folder) as server:
        server.write(data)
        yield server


@pytest.fixture(scope="module")
def ours(data: dict[Labels, Series], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    """On the embedded engine, of which a process has one at a time: hence for this module."""
    engine = EmbeddedEngine(tmp_path_factory.mktemp("engine"), EngineSettings())
    store = SampleStore(engine, FakeClock(END))
    with closing(engine), ThreadPoolExecutor(2) as executor, asyncio.Runner() as runner:
        runner.run(store.start())
        stored = runner.run(store.append(batch_of(data)))
        assert stored.stored == sum(len(times) for times, _ in data.values())
        yield Ours(runner, LocalQuerier(store, executor))
        runner.run(store.close())
