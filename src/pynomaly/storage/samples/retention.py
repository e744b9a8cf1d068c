"""Removing what is too old or too much: whole days, oldest first, then series left empty."""

import logging
from dataclasses import dataclass

from pynomaly.model.clock import Clock, now_ms
from pynomaly.storage.engine.arrow import numbers
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.days import SeriesDays
from pynomaly.storage.samples.head import Head
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.schema import DAY_MS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Removed:
    """What a run of retention removed: days (since the epoch, UTC) by cause, and series."""

    by_age: tuple[int, ...] = ()
    by_size: tuple[int, ...] = ()
    series: int = 0


class Retention:
    """Runs in the thread that commits, so that no sample arrives in a day while it goes."""

    def __init__(
        self,
        engine: SignalEngine,
        index: SeriesIndex,
        days: SeriesDays,
        head: Head,
        clock: Clock,
        settings: SampleSettings,
    ) -> None:
        self._engine = engine
        self._index = index
        self._days = days
        self._head = head
        self._clock = clock
        self._settings = settings
        # The first run also removes what an unfinished commit of an earlier process left.
        self._may_have_empty_series = True

    def enforce(self) -> Removed:
        """Remove the days that are wholly older than the retention, then the oldest days until
        the samples fit, then the series that have no samples left.

        When the engine does not take what the head holds (a full disk, say), days go all the
        same, since that makes room; series stay until the next time.
        """
        flushed = self._head.try_flush()
        sizes = self._bytes_by_day()
        oldest = now_ms(self._clock) - self._settings.retention_days * DAY_MS
        by_age = [day for day in sorted(sizes) if (day + 1) * DAY_MS <= oldest]
        for day in by_age:
            self._drop(day, "age")
            del sizes[day]
        by_size = self._over_limit(sizes)
        for day in by_size:
            self._drop(day, "size")
        metrics.BYTES.labels("samples").set(sum(sizes.values()) - sum(sizes[d] for d in by_size))
        self._head.forget([*by_age, *by_size])
        self._may_have_empty_series |= bool(by_age or by_size)
        if flushed and self._may_have_empty_series:
            series = self._remove_empty_series()
            self._may_have_empty_series = False
        else:
            series = 0
        return Removed(tuple(by_age), tuple(by_size), series)

    def look_for_empty_series(self) -> None:
        """Samples were removed otherwise: the next run looks which series have none left."""
        self._may_have_empty_series = True

    def _bytes_by_day(self) -> dict[int, int]:
        found = self._engine.query(
            "SELECT toInt32(partition_id) AS day, sum(bytes_on_disk) AS bytes FROM system.parts"
            " WHERE database = currentDatabase() AND table = 'samples' AND active GROUP BY day"
        )
        # A day may have series but no samples yet, if the process was killed between the two.
        sizes = dict.fromkeys(self._days.all(), 0)
        sizes.update(zip(found["day"].to_pylist(), found["bytes"].to_pylist(), strict=True))
        return sizes

    def _over_limit(self, sizes: dict[int, int]) -> list[int]:
        limit, total, gone = self._settings.retention_bytes, sum(sizes.values()), []
        if not limit:
            return []
        for day in sorted(sizes)[:-1]:
            if total <= limit:
                break
            total -= sizes[day]
            gone.append(day)
        return gone

    def _drop(self, day: int, cause: str) -> None:
        # Samples first: series without samples do no harm, samples without a day are not found.
        self._engine.execute(f"ALTER TABLE samples DROP PARTITION ID '{day}'")
        self._engine.execute(f"ALTER TABLE series_days DROP PARTITION ID '{day}'")
        self._days.forget(day)
        metrics.DROPPED_DAYS.labels(cause).inc()
        log.info("dropped a day of samples", extra={"day": day, "cause": cause})

    def _remove_empty_series(self) -> int:
        found = self._engine.query(
            "SELECT DISTINCT id FROM series WHERE id NOT IN (SELECT id FROM series_days)"
        )
        if not found.num_rows:
            return 0
        slots = self._index.find(numbers(found["id"]))
        self._engine.execute(
            "ALTER TABLE series DELETE WHERE id NOT IN (SELECT id FROM series_days)",
            settings={"mutations_sync": 1},
        )
        self._index.remove(slots[slots >= 0])
        metrics.SERIES.set(len(self._index))
        return len(slots)
