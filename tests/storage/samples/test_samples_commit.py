"""Group commit, with a writer of the test's own."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.storage.engine.contract import DiskFull, EngineBusy, QueryCancelled
from pynomaly.storage.samples.commit import GroupCommit, Outcome
from pynomaly.storage.samples.config import SampleSettings

AT_ONCE = SampleSettings()


def batch(size: int, number: int = 0) -> SampleBatch:
    return SampleBatch(
        np.full(size, number, dtype=np.uint64), np.zeros(size, dtype=np.int64), np.zeros(size), {}
    )


class Writer:
    """Finishes each commit when told to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, batches: Sequence[SampleBatch]) -> Sequence[Outcome]:
        self.groups.append([len(b) for b in batches])
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        return [Appended(len(b)) for b in batches]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_idle_store_commits_at_once() -> None:
    writer = Writer()
    commit = GroupCommit(writer, AT_ONCE)
    assert (await commit.append(batch(3))).stored == 3
    assert (await commit.append(batch(2))).stored == 2
    assert writer.groups == [[3], [2]]
    await commit.close()


async def test_what_arrives_during_a_commit_goes_into_the_next_together() -> None:
    writer = Writer()
    writer.gate.clear()
    commit = GroupCommit(writer, AT_ONCE)
    waiting = [asyncio.create_task(commit.append(batch(1)))]
    await settle()
    waiting += [asyncio.create_task(commit.append(batch(size))) for size in (2, 3, 4)]
    await settle()
    assert commit.pending == 10
    assert not any(task.done() for task in waiting)
    writer.gate.set()
    assert [(await task).stored for task in waiting] == [1, 2, 3, 4]
    assert writer.groups == [[1], [2, 3, 4]]
    assert commit.pending == 0
    await commit.close()


async def test_a_commit_has_a_bound() -> None:
    writer = Writer()
    commit = GroupCommit(writer, SampleSettings(commit_samples=1000))
    sizes = (600, 300, 200, 5000, 1)
    await asyncio.gather(*(commit.append(batch(size)) for size in sizes))
    assert writer.groups == [[600, 300], [200], [5000], [1]]
    await commit.close()


async def test_a_full_queue_is_busy_and_recovers() -> None:
    writer = Writer()
    writer.gate.clear()
    settings = SampleSettings(max_pending_samples=1000)
    commit = GroupCommit(writer, settings)
    accepted = asyncio.create_task(commit.append(batch(900)))
    await settle()
    with pytest.raises(EngineBusy) as caught:
        await commit.append(batch(101))
    assert caught.value.status == 429
    assert commit.last_error is caught.value
    small = asyncio.create_task(commit.append(batch(100)))
    writer.gate.set()
    assert ((await accepted).stored, (await small).stored) == (900, 100)
    assert (await commit.append(batch(5000))).stored == 5000  # alone, whatever its size
    assert commit.last_error is None
    await commit.close()


@pytest.mark.parametrize("error", [DiskFull("full"), EngineBusy("busy"), RuntimeError("a defect")])
async def test_a_failed_commit_is_told_to_all_and_the_next_one_is_tried(error: Exception) -> None:
    writer = Writer()
    writer.errors.append(error)
    commit = GroupCommit(writer, AT_ONCE)
    outcomes = await asyncio.gather(
        commit.append(batch(1)), commit.append(batch(2)), return_exceptions=True
    )
    assert outcomes == [error, error]
    assert commit.pending == 0
    assert (await commit.append(batch(3))).stored == 3
    await commit.close()


async def test_a_caller_that_gives_up_harms_nobody() -> None:
    writer = Writer()
    writer.gate.clear()
    commit = GroupCommit(writer, AT_ONCE)
    gone = asyncio.create_task(commit.append(batch(1)))
    stays = asyncio.create_task(commit.append(batch(2)))
    await settle()
    gone.cancel()
    writer.gate.set()
    assert (await stays).stored == 2
    await commit.close()


async def test_closing_commits_what_waits_and_takes_no_more() -> None:
    writer = Writer()
    commit = GroupCommit(writer, SampleSettings())
    await commit.append(batch(1))
    waiting = [asyncio.create_task(commit.append(batch(1))) for _ in range(3)]
    await settle()
    await commit.close()
    assert [(await task).stored for task in waiting] == [1, 1, 1]
    with pytest.raises(QueryCancelled):
        await commit.append(batch(1))
