"""Every implementation in turn, filled with the same samples."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest
from contract_stores import Store, local, remote, rows

from pynomaly.model.samples import SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples


@pytest.fixture(
    scope="session",
    params=[
        "local",
        pytest.param("prometheus", marks=pytest.mark.needs("prometheus")),
        pytest.param("victoria-metrics", marks=pytest.mark.needs("victoria-metrics")),
    ],
)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Every implementation in turn, holding ``rows()``."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    with asyncio.Runner() as runner:
        undo = AsyncExitStack()
        try:
            if kind == "local":
                made = local(folder, undo, runner)
            else:
                made = remote(kind, folder, undo, runner)
            batch = SampleBatch.of(rows())
            appended = runner.run(made.appender.append(batch))
            assert (appended.stored, dict(appended.refused)) == (len(batch), {})
            made.flush()
            yield made
        finally:
            runner.run(undo.aclose())


@pytest.fixture(scope="session")
def local_store() -> Iterator[Store]:
    """Our evaluation over samples in memory, to compare with (a process has one engine)."""
    with asyncio.Runner() as runner, ThreadPoolExecutor(2) as executor:
        memory = MemorySamples()
        runner.run(memory.append(SampleBatch.of(rows())))
        querier = LocalQuerier(memory, executor)
        yield Store("memory", runner, querier, querier, memory, memory, lambda: None)
