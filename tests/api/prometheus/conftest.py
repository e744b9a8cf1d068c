"""An application with ten minutes of samples."""

from collections.abc import Iterator

import pytest
from prometheus_app import Client, Stage, filled, serving


@pytest.fixture
def stage() -> Stage:
    return filled()


@pytest.fixture
def client(stage: Stage) -> Iterator[Client]:
    with serving(stage) as client:
        yield client
