"""Lint of the rules that are evaluated, beside the series that are stored."""

import asyncio
from collections.abc import Callable, Sequence

from pynomaly.model.clock import Clock, now_ms
from pynomaly.promql.contract import Querier
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.lint.data_checks import Stored
from pynomaly.rules.lint.finding import Finding
from pynomaly.rules.lint.linter import RuleFile, lint_with_data
from pynomaly.storage.samples.contract import SampleReader

_KEPT_SECONDS = 300.0


class RulesLint:
    """Looks at the rules when somebody asks, and remembers what it saw for five minutes."""

    def __init__(
        self,
        groups: Callable[[], Sequence[RuleGroup]],
        querier: Querier,
        reader: SampleReader,
        clock: Clock,
    ) -> None:
        self._groups = groups
        self._querier = querier
        self._reader = reader
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: tuple[RuleGroup, ...] = ()
        self._at = float("-inf")
        self.found: list[Finding] = []
        """What was found when somebody last looked."""

    async def findings(self) -> list[Finding]:
        """What is wrong, proven by the series of the last day.

        Raises:
            PynomalyError: the series cannot be asked for.
        """
        async with self._looking:
            groups = tuple(self._groups())
            if groups != self._seen or self._clock.now() - self._at > _KEPT_SECONDS:
                stored = Stored(self._querier, self._reader, now_ms(self._clock))
                self.found = await lint_with_data([RuleFile(groups)], stored)
                self._seen, self._at = groups, self._clock.now()
            return self.found

    async def look(self, due: float) -> None:
        """Bring ``found`` up to date; for the scheduler."""
        await self.findings()
