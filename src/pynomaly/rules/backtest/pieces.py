"""Asking for many steps at once, and for fewer where that fails."""

from collections.abc import Callable
from dataclasses import dataclass

from pynomaly.promql.contract import Matrix, QueryError, QueryTimeout
from pynomaly.promql.nodes import Node
from pynomaly.promql.state import Grid
from pynomaly.rules.backtest.errors import BacktestFailed
from pynomaly.rules.backtest.overlay import Source
from pynomaly.storage.peer.errors import AnswerTooLarge

_MOST_FAILURES = 2_000
"""Evaluations that may fail: each takes a query of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What an expression gave at ``count`` steps from ``first`` on (an index into the grid).

    ``matrix`` is None where it failed, with the reason; such a piece is one step.
    """

    first: int
    count: int
    matrix: Matrix | None
    error: str = ""


class Asker:
    """Asks for one expression. ``widest`` is the most steps that have been answered at once."""

    def __init__(self, source: Source, node: Node, name: str) -> None:
        self._source = source
        self._node = node
        self._name = name
        self._failures = 0
        self._last_error = ""
        self.most_steps: int | None = None
        """More than these at once have failed."""

    async def ask(self, grid: Grid, *, one_by_one: bool = False) -> list[Piece]:
        """The answers to the steps of a grid, in order.

        An expression can fail for a range and not for each step: it would hold too many samples
        at once, or two series have the same labels at different times. So a range that fails is
        halved until the steps that fail as they would live are alone.

        Raises:
            BacktestFailed: too many steps fail.
            QueryTimeout: a single step takes too long.
        """
        found: list[Piece] = []
        waiting = [(0, grid.count)]
        while waiting:
            first, count = waiting.pop()
            limit = 1 if one_by_one else self.most_steps or count
            if count > limit:
                waiting += [(first + limit, count - limit), (first, limit)]
                continue
            part = Grid(grid.start + first * grid.step, grid.step, count)
            try:
                found.append(Piece(first, count, await self._source.over(self._node, part)))
            except (QueryError, QueryTimeout, AnswerTooLarge) as error:
                if count > 1:
                    self._narrow(count, error)
                    half = count // 2
                    waiting += [(first + half, count - half), (first, half)]
                elif isinstance(error, QueryError):
                    found.append(Piece(first, 1, None, self._failed(error)))
                else:
                    raise
        return found

    def _narrow(self, count: int, error: Exception) -> None:
        # A limit that was hit once will be hit again: do not try as many any more.
        if isinstance(error, QueryTimeout | AnswerTooLarge) or "too many" in str(error):
            self.most_steps = max(count // 2, 1)

    def _failed(self, error: QueryError) -> str:
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise BacktestFailed(
                f"{self._name} fails at more than {_MOST_FAILURES} evaluations, "
                f"the last time with: {error}"
            )
        return str(error)


Progress = Callable[[float], None]
"""Is told the share that is done, from 0 to 1."""


def silent(share: float) -> None:
    """Progress that nobody watches."""


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """Progress of a part, which is the whole's from ``begin`` to ``end``."""
    return lambda share: progress(begin + share * (end - begin))
