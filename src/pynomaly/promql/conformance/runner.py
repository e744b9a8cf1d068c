"""Runs test scripts against a store, and says what agrees, what differs, what is left out."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match
from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.promql.conformance.check import check_answer, check_failure, check_matrix
from pynomaly.promql.conformance.script import Clear, Eval, Load, parse_script
from pynomaly.promql.contract import Matrix, ParseError, Querier, QueryResult
from pynomaly.promql.parser import parse, selectors

NATIVE = "native histograms"

_BEYOND_THE_PARSER = (
    ("extended range selectors", "extended vectors (anchored, smoothed)"),
    ("duration expressions", "duration expressions"),
    ("trims native histograms", NATIVE),
    ("start_timestamp", "start timestamps"),
    ("vector selector must contain", "selectors without a non-empty matcher, in info"),
)


class Target(Protocol):
    """What is judged: a store that can be emptied, and the querier over it."""

    @property
    def querier(self) -> Querier:
        """What answers over the store."""
        ...

    async def append(self, batch: SampleBatch) -> Appended:
        """Store samples."""
        ...

    async def clear(self) -> None:
        """Forget every series."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one evaluation.

    ``difference`` is empty where it agrees; ``feature`` names what it needs that is left out.
    """

    source: str
    line: int
    expr: str
    difference: str = ""
    feature: str = ""


@dataclass
class Score:
    """The verdicts of a suite."""

    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """How many evaluations agree."""
        return sum(not v.difference for v in self.verdicts)

    @property
    def differences(self) -> list[Verdict]:
        """Evaluations that differ, and of which no feature that is left out is the reason."""
        return [v for v in self.verdicts if v.difference and not v.feature]

    @property
    def left_out(self) -> Counter[str]:
        """How many evaluations each feature that is left out costs."""
        return Counter(v.feature for v in self.verdicts if v.difference and v.feature)

    @property
    def percent(self) -> float:
        """The share that agrees of all that need no feature which is left out."""
        counted = self.passed + len(self.differences)
        return 100 * self.passed / counted if counted else 0.0


async def run_script(source: str, text: str, target: Target) -> AsyncIterator[Verdict]:
    """Run a script on an empty store; a verdict for each evaluation.

    Raises:
        NotationError: the script is not one.
    """
    await target.clear()
    native: list[Labels] = []
    unread = ""
    for command in parse_script(text):
        match command:
            case Clear():
                await target.clear()
                native, unread = [], ""
            case Load():
                native += command.native
                unread = unread or next(iter(command.unread), "")
                await target.append(_batch(command))
            case Eval():
                difference = await _evaluate(command, target)
                feature = _feature(command, native, unread) if difference else ""
                yield Verdict(source, command.line, command.expr, difference, feature)


def _batch(load: Load) -> SampleBatch:
    return SampleBatch.of(
        [
            (labels, i * load.interval, value)
            for labels, points in load.series
            for i, value in enumerate(points)
            if value is not None
        ]
    )


async def _evaluate(case: Eval, target: Target) -> str:
    try:
        result = await _ask(case, target.querier)
    except PynomalyError as error:
        return check_failure(case, error)
    return check_answer(case, result) or await _check_as_range(case, result, target.querier)


async def _ask(case: Eval, querier: Querier) -> QueryResult:
    grid = case.grid
    if case.instant:
        return await querier.instant(case.expr, grid.start)
    return await querier.range(case.expr, grid.start, grid.end, grid.step)


async def _check_as_range(case: Eval, result: QueryResult, querier: Querier) -> str:
    """An instant query is one step of a range query: hold the other steps away from it."""
    if not case.instant or case.wants("ordered") or not isinstance(result.value, Matrix):
        return ""
    at = case.grid.start
    try:
        around = (await querier.range(case.expr, at - 60_000, at + 60_000, 60_000)).value
    except PynomalyError as error:
        # What holds at this step alone may not hold at the others.
        return (
            ""
            if any(w in str(error) for w in ("labelset", "match", "duplicate"))
            else (f"as range: {error}")
        )
    assert isinstance(around, Matrix), "an instant vector gives a matrix"
    keep = around.present[:, 1]
    rows = [labels for labels, here in zip(around.labels, keep, strict=True) if here]
    middle = Matrix(rows, case.grid.times, around.values[keep, 1:2], around.present[keep, 1:2])
    wrong = check_matrix(case, middle)
    return f"as range: {wrong}" if wrong else ""


def _feature(case: Eval, native: list[Labels], unread: str) -> str:
    """What an evaluation needs that is left out on purpose; empty when nothing."""
    if case.native:
        return NATIVE
    try:
        selected = selectors(parse(case.expr))
    except ParseError as error:
        return next((name for said, name in _BEYOND_THE_PARSER if said in error.message), "")
    if any(all_match(matchers, labels) for matchers in selected for labels in native):
        return NATIVE
    return f"series notation ({unread})" if unread else ""
