"""The exemplars of the series that an expression names, from the local store."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from pynomaly.model.exemplars import SeriesExemplars
from pynomaly.model.matcher import Matcher
from pynomaly.promql import nodes
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.experimental import refuse_experimental
from pynomaly.promql.parser import parse
from pynomaly.storage.exemplars.contract import ExemplarReader


def selectors(expr: str, *, experimental: bool = True) -> list[tuple[Matcher, ...]]:
    """The matchers of every selector in an expression, from left to right.

    Times do not count: neither windows nor ``offset`` and ``@``.

    Raises:
        ParseError: the expression cannot be understood, or uses what is switched off.
    """
    root = parse(expr)
    if not experimental and (error := refuse_experimental(expr, root)):
        raise error
    every = nodes.walk(root)
    return [node.matchers for node in every if isinstance(node, nodes.VectorSelector)]


class LocalExemplars:
    """Reads in worker threads what ``reader`` has; see ``ExemplarQuerier``."""

    def __init__(
        self, reader: ExemplarReader, executor: Executor, settings: QuerySettings | None = None
    ) -> None:
        self._reader = reader
        self._executor = executor
        self._settings = settings or QuerySettings()

    async def exemplars(
        self, expr: str, start_ms: int, end_ms: int
    ) -> Sequence[SeriesExemplars] | None:
        """Those with ``start_ms <= ts <= end_ms``."""

        def read() -> Sequence[SeriesExemplars] | None:
            wanted = selectors(expr, experimental=self._settings.experimental_functions)
            return self._reader.exemplars(wanted, start_ms, end_ms) if wanted else None

        return await asyncio.get_running_loop().run_in_executor(self._executor, read)
