"""One contract, every engine: add an implementation to ``ENGINES`` and the suite runs on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.engine.embedded import EmbeddedEngine

SETTINGS = EngineSettings(query_connections=2, write_connections=1)


def _embedded(folder: Path) -> SignalEngine:
    return EmbeddedEngine(folder / "data", SETTINGS)


ENGINES: dict[str, Callable[[Path], SignalEngine]] = {"embedded": _embedded}


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SignalEngine]:
    """An empty engine of each kind, which has two connections for reading."""
    opened = ENGINES[request.param](tmp_path)
    yield opened
    opened.close()
