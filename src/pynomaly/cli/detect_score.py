"""``pynomaly detect score``: anomaly scores for CSV files, without a server."""

import csv
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pynomaly.calendar.holidays import check_country, public_holidays
from pynomaly.cli.output import err, out
from pynomaly.detection.excluded import Excluded
from pynomaly.detection.files import COLUMNS, score_series
from pynomaly.detection.replay import PastSeries
from pynomaly.model.errors import BadInput

_BATCH_ROWS = 2_000_000
"""Rows whose scores are held in memory at once."""
_OWN_PROCESS_ROWS = 50_000
"""Below this a second process costs more than it brings."""
_EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From how large a number on an epoch is in nanoseconds, microseconds, milliseconds."""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file as it stands: its header, its rows as text, and the series in it."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    series: PastSeries


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command was told: names of the columns, the zone of epochs, the budget.

    ``holidays``: a country, ``DE``, or a part of it, ``DE-BY``, whose holidays are like Sundays.
    """

    timestamp: str
    value: str
    zone: str
    budget: float
    holidays: str = ""


def run(source: Path, target: Path, choices: Choices, *, jobs: int, as_json: bool) -> None:
    """Score a file or a folder and write the same files with five columns more."""
    country, _, part = choices.holidays.partition("-")
    if country:
        try:
            check_country(country, part)
        except ValueError as error:
            raise BadInput(f"--holidays: {error}") from error
    pairs = _pairs(source, target)
    batches = list(_batches(pairs))
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeElapsedColumn(),
    )
    told = []
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=len(pairs))
        for summaries in _scored(batches, choices, jobs):
            told += summaries
            bar.advance(task, len(summaries))
    told.sort(key=lambda each: str(each["file"]))
    if as_json:
        out.print_json(data=told)
        return
    events = sum(int(str(each["events"])) for each in told)
    rows = sum(int(str(each["rows"])) for each in told)
    counts = ((len(told), "file"), (rows, "row"), (events, "event"))
    said = ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for n, what in counts)
    out.print(f"{said}: {target}", markup=False)


def _pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Each file to read, and where its copy goes."""
    if source.is_dir():
        found = sorted(path for path in source.rglob("*") if path.suffix.lower() == ".csv")
        found = [path for path in found if not path.is_relative_to(target)]
        if not found:
            raise BadInput(f"{source} holds no file that ends in .csv")
        return [(path, target / path.relative_to(source)) for path in found]
    if not source.is_file():
        raise BadInput(f"{source} does not exist", hint="Give a CSV file or a folder of them.")
    copy = target / source.name if target.is_dir() else target
    if copy.exists() and copy.samefile(source):
        raise BadInput("--out is the file that is read", hint="Give another name.")
    return [(source, copy)]


def _batches(pairs: Sequence[tuple[Path, Path]]) -> Iterator[list[tuple[Path, Path]]]:
    """Files of like length together, since a batch takes as long as its longest."""
    batch: list[tuple[Path, Path]] = []
    size = 0
    for pair in sorted(pairs, key=lambda each: each[0].stat().st_size):
        rows = pair[0].stat().st_size // 20 + 1
        if batch and size + rows > _BATCH_ROWS:
            yield batch
            batch, size = [], 0
        batch.append(pair)
        size += rows
    yield batch


def _scored(
    batches: Sequence[list[tuple[Path, Path]]], choices: Choices, jobs: int
) -> Iterator[list[dict[str, object]]]:
    workers = jobs or os.cpu_count() or 1
    parts = [part for batch in batches for part in _split(batch, workers)]
    if workers == 1 or len(parts) == 1:
        for part in parts:
            yield _score_batch(part, choices)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(parts)), mp_context=context) as pool:
        waiting = [pool.submit(_score_batch, part, choices) for part in parts]
        for each in as_completed(waiting):
            yield each.result()


def _split(batch: list[tuple[Path, Path]], workers: int) -> list[list[tuple[Path, Path]]]:
    """The batch in as many parts as there are workers, long and short files in each."""
    rows = sum(source.stat().st_size // 20 for source, _ in batch)
    parts = min(workers, len(batch)) if rows > _OWN_PROCESS_ROWS else 1
    return [batch[i::parts] for i in range(parts)]


def _score_batch(pairs: list[tuple[Path, Path]], choices: Choices) -> list[dict[str, object]]:
    tables = [read_table(source, choices) for source, _ in pairs]
    scores = score_series([table.series for table in tables], budget=choices.budget)
    for table, found, (_, copy) in zip(tables, scores, pairs, strict=True):
        _write(copy, table, found)
    return [
        {
            "file": str(table.path),
            "rows": len(table.rows),
            "scored": int(np.count_nonzero(~np.isnan(found[:, 0]))),
            "events": int(np.count_nonzero(found[:, 4] > 0)),
        }
        for table, found in zip(tables, scores, strict=True)
    ]


def read_table(path: Path, choices: Choices) -> Table:
    """Read a CSV whose columns include a time and a value.

    Raises:
        BadInput: a column is missing, or a cell cannot be read; says which, and on which line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    if not lines:
        raise BadInput(f"{path} is empty", hint="A header with timestamp,value is expected.")
    header, rows = lines[0], lines[1:]
    at, value = (_column(path, header, name) for name in (choices.timestamp, choices.value))
    for number, row in enumerate(rows, start=2):
        if len(row) <= max(at, value):
            raise BadInput(f"{path}, line {number}: {len(header)} cells are expected")
    seconds = _read_cells(path, [row[at] for row in rows], _time_reader(path, choices.zone))
    values = _read_cells(path, [row[value] for row in rows], _value)
    local = np.floor(seconds).astype(np.int64)
    series = PastSeries(local, values, _days_off(local, choices.holidays))
    return Table(path, header, rows, series)


def _days_off(local: NDArray[np.int64], place: str) -> Excluded | None:
    """Which of these local seconds are on a public holiday there."""
    if not place:
        return None
    country, _, part = place.partition("-")
    days, which = np.unique(local // 86_400, return_inverse=True)
    dates = [date(1970, 1, 1) + timedelta(days=int(day)) for day in days]
    off = np.array([each in public_holidays(country, part, each.year) for each in dates])
    every = np.ones(len(local), dtype=np.bool_)
    return Excluded(every, every, off[which]) if off.any() else None


def _column(path: Path, header: list[str], name: str) -> int:
    found = [i for i, each in enumerate(header) if each.strip().lower() == name.lower()]
    if not found:
        raise BadInput(
            f"{path} has no column {name}; it has {', '.join(header)}",
            hint="Name the columns with --timestamp-column and --value-column.",
        )
    return found[0]


def _read_cells(path: Path, cells: list[str], read: Callable[[str], float]) -> NDArray[np.float64]:
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = read(cell)
        except ValueError as error:
            raise BadInput(f"{path}, line {i + 2}: {cell!r} cannot be read: {error}") from error
    return values


def _value(cell: str) -> float:
    return float(cell) if cell.strip() else float("nan")


def _time_reader(path: Path, zone: str) -> Callable[[str], float]:
    """Reads a time as seconds of the local clock: what is written, or an epoch in the zone."""
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(f"{zone} is no time zone", hint="Write it like Europe/Berlin.") from error

    def read(cell: str) -> float:
        try:
            epoch = float(cell)
        except ValueError:
            return datetime.fromisoformat(cell.strip()).replace(tzinfo=UTC).timestamp()
        if not np.isfinite(epoch):
            raise ValueError("a time is expected")
        for least, unit in _EPOCH_UNITS:
            if abs(epoch) >= least:
                epoch /= unit
                break
        offset = datetime.fromtimestamp(epoch, local).utcoffset() if zone != "UTC" else None
        return epoch + (offset.total_seconds() if offset else 0.0)

    return read


def _write(copy: Path, table: Table, scores: NDArray[np.float64]) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with copy.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*table.header, *COLUMNS])
        for row, cells in zip(table.rows, scores.tolist(), strict=True):
            writer.writerow([*row, *("" if c != c else f"{c:.9g}" for c in cells)])
