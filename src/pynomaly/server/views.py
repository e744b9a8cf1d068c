"""What the pages show of the parts: their state in the words of ``web``."""

import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from pynomaly.api.health import ComponentStatus, overall
from pynomaly.ingest.scrape.manager import ScrapeManager
from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.errors import PynomalyError
from pynomaly.promql.contract import Matrix, Querier
from pynomaly.rules.evaluate import RuleState
from pynomaly.rules.group import GroupRunner
from pynomaly.rules.lint.finding import Severity
from pynomaly.rules.lint.service import RulesLint
from pynomaly.server.health import HealthBoard
from pynomaly.web.deps import Component, Health, Stats, Status, TargetHealth, TargetStatus
from pynomaly.web.notes import RuleNote

_STATUS = {
    ComponentStatus.ACTIVE: Status.OK,
    ComponentStatus.DEGRADED: Status.DEGRADED,
    ComponentStatus.FAILED: Status.DOWN,
    ComponentStatus.DISABLED: Status.UNKNOWN,
}
_OVERALL = {"healthy": Status.OK, "degraded": Status.DEGRADED, "unhealthy": Status.DOWN}
_STATS_SECONDS = 5.0
_TOP_METRICS = 10


def health_view(board: HealthBoard) -> Health:
    """The board as the pages show it; what is not in use is not trouble."""
    components = board.components()
    parts = [Component(name, _STATUS[c.status], c.reason) for name, c in components.items()]
    return Health(_OVERALL[overall(components)], parts)


class TargetView:
    """The targets as the pages show them."""

    def __init__(self, scraping: ScrapeManager) -> None:
        self._scraping = scraping

    def targets(self) -> Sequence[TargetStatus]:
        """Every active target."""
        return [
            TargetStatus(
                job=target.labels.get("job", target.scrape_pool),
                instance=target.labels.get("instance", ""),
                url=target.scrape_url,
                health=TargetHealth(target.health),
                last_scrape=target.last_scrape,
                duration_seconds=target.last_scrape_duration,
                last_error=target.last_error,
                labels=target.labels,
            )
            for target in self._scraping.targets()
        ]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a backend knows of what it stores; None is "not known", or "ask for it in PromQL"."""

    series: int | None = None
    disk_bytes: int | None = None
    top_metrics: Sequence[tuple[str, int]] | None = None


class ProductStats:
    """Numbers of the product itself, asked of its own series, at most every five seconds."""

    def __init__(
        self,
        own_querier: Querier,
        stored: Callable[[], Awaitable[Stored]],
        clock: Clock,
        data_dir: Path,
    ) -> None:
        self._querier = own_querier
        self._stored = stored
        self._clock = clock
        self._data_dir = data_dir
        self._process = psutil.Process()
        self._began = time.monotonic()
        self._known = Stats()
        self._known_at = float("-inf")

    async def __call__(self) -> Stats:
        """The numbers, as of at most five seconds ago."""
        if time.monotonic() - self._known_at >= _STATS_SECONDS:
            self._known_at = time.monotonic()
            self._known = await self._ask()
        return self._known

    async def _ask(self) -> Stats:
        stored = await self._stored()
        top = stored.top_metrics
        if top is None:
            top = await self._ranked(f'topk({_TOP_METRICS}, count by (__name__) ({{job!=""}}))')
        return Stats(
            series=stored.series,
            samples_per_second=await self._number(
                'sum(rate(pynomaly_ingested_samples_total{job="pynomaly"}[1m]))'
                ' + sum(rate(pynomaly_prometheus_written_samples_total{job="pynomaly"}[1m]))'
            ),
            query_p95_seconds=await self._number(
                "histogram_quantile(0.95, sum by (le) "
                '(rate(pynomaly_query_duration_seconds_bucket{job="pynomaly"}[5m])))'
            ),
            disk_bytes=stored.disk_bytes,
            disk_free_bytes=shutil.disk_usage(self._data_dir).free,
            memory_bytes=int(self._process.memory_info().rss),
            uptime_seconds=time.monotonic() - self._began,
            top_metrics=top,
        )

    async def _vector(self, expr: str) -> Matrix | None:
        try:
            result = await self._querier.instant(expr, now_ms(self._clock), timeout=5)
        except PynomalyError:
            return None  # "not known" is an answer; the health of the store says why
        return result.value if isinstance(result.value, Matrix) else None

    async def _number(self, expr: str) -> float | None:
        matrix = await self._vector(expr)
        if matrix is None or not len(matrix):
            return None
        value = float(matrix.values[0, 0])
        return value if value == value else None  # NaN: no query in these minutes

    async def _ranked(self, expr: str) -> list[tuple[str, int]]:
        matrix = await self._vector(expr)
        if matrix is None:
            return []
        rows = zip(matrix.labels, matrix.values[:, 0], strict=True)
        return [(labels.name, int(value)) for labels, value in rows]


class LintNotes:
    """What lint has found on each rule, as the pages show it."""

    def __init__(self, lint: RulesLint) -> None:
        self._lint = lint

    def __call__(self, runner: GroupRunner, state: RuleState) -> Sequence[RuleNote]:
        """The findings on a rule, as of the last look; mere notes stay with the API.

        That nobody sends what a shipped rule reads is no mistake of the rule.
        """
        place = (runner.group.file, runner.group.name, state.rule.name)
        return [
            RuleNote(f.check, f.severity.value, f.message, f.suggestion, f.proof)
            for f in self._lint.found
            if (f.file, f.group, f.rule) == place and f.severity is not Severity.NOTE
        ]
