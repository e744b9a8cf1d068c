"""The cases in cases/*.test, one test for each file; and the runner of such files itself."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.conformance.runner import NATIVE, Score, Verdict, run_script
from pynomaly.promql.conformance.script import Eval, parse_script
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples

FILES = sorted((Path(__file__).parent / "cases").glob("*.test"))


class MemoryTarget:
    """Samples in memory: quick, and the evaluator is the same."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor

    async def clear(self) -> None:
        self._store = MemorySamples()
        settings = QuerySettings(experimental_functions=True)
        self.querier = LocalQuerier(self._store, self._executor, settings)

    async def append(self, batch: SampleBatch) -> Appended:
        return await self._store.append(batch)


@pytest.fixture
async def target() -> AsyncIterator[MemoryTarget]:
    with ThreadPoolExecutor(1) as executor:
        yield MemoryTarget(executor)


async def verdicts(text: str, target: MemoryTarget) -> list[Verdict]:
    return [verdict async for verdict in run_script("script", text, target)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_expressions_give_what_the_script_says(path: Path, target: MemoryTarget) -> None:
    found = await verdicts(path.read_text(), target)

    wrong = [f"{path.name}:{v.line}: {v.expr}: {v.difference}" for v in found if v.difference]

    assert not wrong, "\n".join(wrong)


def test_the_scripts_hold_evaluations() -> None:
    scripts = [parse_script(path.read_text()) for path in FILES]

    assert sum(isinstance(c, Eval) for commands in scripts for c in commands) > 200


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("eval instant at 0 1 + 1\n  3\n", "found 2.0, wanted 3"),
        ("load 1m\n  a 1\neval instant at 0 a\n  b 1\n", "found"),
        ("load 1m\n  a 1\neval range from 0 to 1m step 1m a\n  a 1 2\n", "at step 1"),
        ("load 1m\n  a 1\neval instant at 0 a\n  expect fail\n", "did not fail"),
        ("eval instant at 0 a(\n", "failed"),
        ("load 1m\n  a 1\neval instant at 0 rate(a[1m])\n  expect info\n", "no info"),
    ],
)
async def test_a_verdict_tells_what_is_wrong(case: str, why: str, target: MemoryTarget) -> None:
    (verdict,) = await verdicts(case, target)

    assert why in verdict.difference
    assert not verdict.feature


@pytest.mark.parametrize(
    ("case", "feature"),
    [
        ("load 1m\n  h {{schema:0 sum:1 count:1}}\neval instant at 0 h\n  h 1\n", NATIVE),
        ("load 1m\n  a 1\neval instant at 0 a\n  a {{schema:0}}\n", NATIVE),
        ("eval instant at 0 x[5m+1m]\n  x 1\n", "duration expressions"),
        ("eval instant at 0 rate(x[5m] smoothed)\n  x 1\n", "extended vectors"),
    ],
)
async def test_what_is_left_out_is_counted_by_its_name(
    case: str, feature: str, target: MemoryTarget
) -> None:
    score = Score(await verdicts(case, target))

    assert not score.differences
    assert feature in next(iter(score.left_out))


async def test_the_score_is_the_share_of_what_is_not_left_out(target: MemoryTarget) -> None:
    text = "eval instant at 0 1\n  1\neval instant at 0 1\n  2\neval instant at 0 x[1m+1m]\n  1\n"

    score = Score(await verdicts(text, target))

    assert (score.passed, len(score.differences), score.percent) == (1, 1, 50.0)
