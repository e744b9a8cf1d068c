"""When the head is flushed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pynomaly.storage.samples.flusher import Flusher


class Head:
    """Counts flushes, and fails as told."""

    def __init__(self) -> None:
        self.flushed = asyncio.Semaphore(0)
        self.count = 0
        self.outcomes: list[bool | Exception] = []

    async def __call__(self) -> bool:
        self.count += 1
        self.flushed.release()
        outcome = self.outcomes.pop(0) if self.outcomes else True
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def head() -> Head:
    return Head()


@pytest.fixture
async def patient(head: Head) -> AsyncIterator[Flusher]:
    flusher = Flusher(head, 3600)
    yield flusher
    await flusher.close()


@pytest.fixture
async def quick(head: Head) -> AsyncIterator[Flusher]:
    flusher = Flusher(head, 0.001)
    yield flusher
    await flusher.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_full_head_is_flushed_at_once(patient: Flusher, head: Head) -> None:
    patient.committed(full=False)
    await settle()
    assert head.count == 0
    patient.committed(full=True)
    await head.flushed.acquire()
    patient.committed(full=False)
    await settle()
    assert head.count == 1


async def test_any_other_is_flushed_after_the_interval(quick: Flusher, head: Head) -> None:
    for _ in range(2):
        quick.committed(full=False)
        await head.flushed.acquire()
    assert head.count == 2


@pytest.mark.parametrize("outcome", [False, RuntimeError("a defect")])
async def test_what_failed_is_tried_again(
    quick: Flusher, head: Head, outcome: bool | Exception
) -> None:
    head.outcomes = [outcome, outcome]
    quick.committed(full=True)
    for _ in range(3):
        await head.flushed.acquire()
    assert head.count == 3


async def test_a_failure_is_not_tried_again_with_every_commit(patient: Flusher, head: Head) -> None:
    head.outcomes = [False]
    patient.committed(full=True)
    await head.flushed.acquire()
    for _ in range(5):
        patient.committed(full=True)
        await settle()
    assert head.count == 1


async def test_an_empty_head_is_left_alone(quick: Flusher, head: Head) -> None:
    await asyncio.sleep(0.02)
    assert head.count == 0
