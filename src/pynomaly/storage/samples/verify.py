"""Checking what is stored, with the product running or not."""

import json
from dataclasses import asdict, dataclass

from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples.schema import DAY_MS, KEY, SQL_SERIES_ID

TABLES = ("samples", "series", "series_days", "metric_metadata")


@dataclass(frozen=True, slots=True)
class TableCount:
    """``raw`` rows as they lie on disk, ``distinct`` as they are read. The difference is
    duplicates that a merge will remove; no read shows them."""

    raw: int
    distinct: int

    @property
    def duplicates(self) -> int:
        """Rows that a merge will remove."""
        return self.raw - self.distinct


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found.

    ``series_without_samples`` does no harm (a commit that did not finish, or all its samples were
    dropped since); retention removes them. The others must be 0: samples whose series is not
    known, samples that no day's list of series names (queries would not find either), and series
    whose id is not the hash of their labels.
    """

    tables: dict[str, TableCount]
    series_without_samples: int
    samples_without_series: int
    samples_without_day: int
    series_with_wrong_id: int

    @property
    def sound(self) -> bool:
        """Whether everything stored can be found."""
        return not (
            self.samples_without_series or self.samples_without_day or self.series_with_wrong_id
        )

    def to_json(self) -> str:
        """The report as JSON, with ``sound`` and the duplicates of each table."""
        report = asdict(self)
        for name, count in self.tables.items():
            report["tables"][name]["duplicates"] = count.duplicates
        return json.dumps({"sound": self.sound, **report}, indent=2)


def verify(engine: SignalEngine) -> VerifyReport:
    """Read the whole store, a day at a time, and compare its tables with each other."""
    tables = {
        name: TableCount(
            _number(engine, f"SELECT count() FROM {name}"),
            _number(engine, f"SELECT count() FROM {name} FINAL"),
        )
        for name in TABLES
        if name != "samples"
    }
    samples, without_series, without_day = TableCount(0, 0), 0, 0
    for day in _days(engine):
        count = _samples_of(engine, day)
        samples = TableCount(samples.raw + count.raw, samples.distinct + count.distinct)
        without_series += _orphans(engine, day, "SELECT id FROM series")
        without_day += _orphans(engine, day, f"SELECT id FROM series_days WHERE day = {day}")
    return VerifyReport(
        tables={"samples": samples, **tables},
        series_without_samples=_number(
            engine,
            "SELECT uniqExact(id) FROM series WHERE id NOT IN (SELECT DISTINCT id FROM samples)",
        ),
        samples_without_series=without_series,
        samples_without_day=without_day,
        series_with_wrong_id=_number(
            engine, f"SELECT count() FROM series WHERE id != {SQL_SERIES_ID}"
        ),
    )


def _number(engine: SignalEngine, sql: str) -> int:
    found = engine.query(sql)
    return int(found.column(0)[0].as_py())


def _days(engine: SignalEngine) -> list[int]:
    found = engine.query(
        "SELECT DISTINCT toInt32(partition_id) AS day FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'samples' AND active ORDER BY day"
    )
    days: list[int] = found["day"].to_pylist()
    return days


def _samples_of(engine: SignalEngine, day: int) -> TableCount:
    within = _within(day)
    raw = _number(engine, f"SELECT count() FROM samples WHERE {within}")
    # Reads in the key's order, so that a day of any size needs little memory.
    distinct = _number(
        engine,
        f"SELECT count() FROM (SELECT 1 FROM samples WHERE {within} GROUP BY {KEY}"
        " SETTINGS optimize_aggregation_in_order = 1)",
    )
    return TableCount(raw, distinct)


def _orphans(engine: SignalEngine, day: int, known: str) -> int:
    return _number(
        engine, f"SELECT count() FROM samples WHERE {_within(day)} AND id NOT IN ({known})"
    )


def _within(day: int) -> str:
    return f"ts BETWEEN {day * DAY_MS} AND {(day + 1) * DAY_MS - 1}"
