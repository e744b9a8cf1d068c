"""``/api/v1/targets``: what is scraped, and how that goes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from pynomaly.model.labels import Labels

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time


class TargetStatus(Protocol):
    """One target after relabelling, and its last scrape."""

    @property
    def scrape_pool(self) -> str:
        """The ``job_name`` of its scrape configuration."""
        ...

    @property
    def discovered_labels(self) -> Labels:
        """Its labels before relabelling, with ``__address__`` and the like."""
        ...

    @property
    def labels(self) -> Labels:
        """The labels that its samples carry."""
        ...

    @property
    def scrape_url(self) -> str:
        """Where it is scraped, parameters included."""
        ...

    @property
    def health(self) -> str:
        """``up``, ``down``, or ``unknown`` before the first scrape."""
        ...

    @property
    def last_error(self) -> str:
        """Why the last scrape failed, or the empty string."""
        ...

    @property
    def last_scrape(self) -> float:
        """When the last scrape began, in epoch seconds; 0 before the first."""
        ...

    @property
    def last_scrape_duration(self) -> float:
        """Seconds that the last scrape took."""
        ...

    @property
    def scrape_interval(self) -> str:
        """As configured: ``15s``."""
        ...

    @property
    def scrape_timeout(self) -> str:
        """As configured: ``10s``."""
        ...


class DroppedTarget(Protocol):
    """A target that relabelling dropped."""

    @property
    def scrape_pool(self) -> str:
        """The ``job_name`` of its scrape configuration."""
        ...

    @property
    def discovered_labels(self) -> Labels:
        """Its labels before relabelling."""
        ...


Target = TypeVar("Target", bound=DroppedTarget)


class Targets(Protocol):
    """Who knows the targets. Called on the event loop: answers from memory."""

    def targets(self) -> Sequence[TargetStatus]:
        """The active targets."""
        ...

    def dropped_targets(self) -> Sequence[DroppedTarget]:
        """Those that relabelling dropped; an implementation may keep only some."""
        ...

    def dropped_target_counts(self) -> Mapping[str, int]:
        """How many were dropped, by scrape pool."""
        ...


def describe(targets: Targets, state: str, scrape_pool: str) -> dict[str, Any]:
    """Prometheus's ``data``; ``state`` and ``scrape_pool`` select, empty means all."""
    answer: dict[str, Any] = {"activeTargets": [], "droppedTargets": []}
    answer["droppedTargetCounts"] = None
    wanted = state.lower()
    if wanted in ("", "any", "active"):
        active = _of_pool(targets.targets(), scrape_pool)
        answer["activeTargets"] = [_active(target) for target in active]
    if wanted in ("", "any", "dropped"):
        dropped = _of_pool(targets.dropped_targets(), scrape_pool)
        answer["droppedTargets"] = [
            {"discoveredLabels": target.discovered_labels, "scrapePool": target.scrape_pool}
            for target in dropped
        ]
        answer["droppedTargetCounts"] = dict(targets.dropped_target_counts())
    return answer


def _of_pool(targets: Sequence[Target], scrape_pool: str) -> list[Target]:
    mine = [t for t in targets if not scrape_pool or t.scrape_pool == scrape_pool]
    return sorted(mine, key=lambda t: t.scrape_pool)


def _active(target: TargetStatus) -> dict[str, Any]:
    return {
        "discoveredLabels": target.discovered_labels,
        "labels": target.labels,
        "scrapePool": target.scrape_pool,
        "scrapeUrl": target.scrape_url,
        "globalUrl": target.scrape_url,
        "lastError": target.last_error,
        "lastScrape": rfc3339(target.last_scrape),
        "lastScrapeDuration": target.last_scrape_duration,
        "health": target.health,
        "scrapeInterval": target.scrape_interval,
        "scrapeTimeout": target.scrape_timeout,
    }


def rfc3339(seconds: float) -> str:
    """Epoch seconds as Prometheus writes times; 0 is "never"."""
    if seconds == 0:
        return _NEVER
    return (_EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
