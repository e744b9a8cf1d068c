"""Labelled series of the field, read from where they were fetched, with the field's own scorers."""

import csv
import importlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PROFILE = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11, "tnWeight": 1.0}
"""NAB's standard profile: the weights of its config/profiles.json."""
_PROBATION = 0.15
_LISTED = re.compile(r"\d+_NAB_id_(\d+)_\w+?_tr_(\d+)_1st_(\d+)\.csv")


@dataclass(frozen=True)
class NabFile:
    """A file of NAB with its windows of anomalies, as indices of rows, both ends included."""

    name: str
    times: list[datetime]
    values: NDArray[np.float64]
    windows: list[tuple[int, int]]

    @property
    def seconds(self) -> NDArray[np.int64]:
        return np.array([int(t.replace(tzinfo=UTC).timestamp()) for t in self.times])

    @property
    def labels(self) -> NDArray[np.int64]:
        found = np.zeros(len(self.values), dtype=np.int64)
        for first, last in self.windows:
            found[first : last + 1] = 1
        return found


def find(folder: Path, wanted: str) -> Path | None:
    """The checkout under a folder that holds this path."""
    places = [folder, *(each for each in folder.iterdir() if each.is_dir())]
    return next((place for place in places if (place / wanted).exists()), None)


def nab_files(checkout: Path) -> list[NabFile]:
    """Every file of a checkout of numenta/NAB."""
    windows = json.loads((checkout / "labels" / "combined_windows.json").read_text())
    return [_nab_file(checkout, name, windows[name]) for name in sorted(windows)]


def _nab_file(checkout: Path, name: str, windows: list[list[str]]) -> NabFile:
    with (checkout / "data" / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    place = {time: i for i, time in enumerate(times)}
    ends = [[datetime.fromisoformat(end[:19]) for end in window] for window in windows]
    values = np.array([float(row["value"]) for row in rows])
    return NabFile(name, times, values, [(place[a], place[b]) for a, b in ends])


class NabScorer:
    """NAB's own sweeper, unmodified, with its standard profile."""

    def __init__(self, checkout: Path, files: Sequence[NabFile]) -> None:
        sweeper: Any = _imported(checkout, "nab.sweeper")
        self._sweeper = sweeper.Sweeper(probationPercent=_PROBATION, costMatrix=_PROFILE)
        self._files = files
        self._windows = sum(len(file.windows) for file in files)

    def best(self, scores: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
        """The score at the best threshold, and that threshold."""
        points = [point for parts in self._points(scores) for point in parts]
        return self._best(points, self._windows)

    def at(self, scores: Sequence[NDArray[np.float64]], threshold: float) -> float:
        """The score at a threshold fixed beforehand."""
        found = sum(self._raw(parts, threshold) for parts in self._points(scores))
        return self._normalised(found, self._windows)

    def leave_one_out(self, scores: Sequence[NDArray[np.float64]]) -> float:
        """The score where each file has the threshold that is best for all others."""
        parts = list(self._points(scores))
        found = 0.0
        for i, own in enumerate(parts):
            others = [point for j, part in enumerate(parts) if j != i for point in part]
            windows = self._windows - len(self._files[i].windows)
            found += self._raw(own, self._best(others, windows)[1])
        return self._normalised(found, self._windows)

    def _points(self, scores: Sequence[NDArray[np.float64]]) -> Iterator[list[Any]]:
        for file, score in zip(self._files, scores, strict=True):
            limits = [(file.times[a], file.times[b]) for a, b in file.windows]
            yield self._sweeper.calcSweepScore(file.times, score.tolist(), limits, file.name)

    def _best(self, points: list[Any], windows: int) -> tuple[float, float]:
        rows = self._sweeper.calcScoreByThreshold(points)
        best = max(rows, key=lambda row: row.score)
        return self._normalised(best.score, windows), best.threshold

    def _raw(self, points: list[Any], threshold: float) -> float:
        rows = self._sweeper.calcScoreByThreshold(points)
        # Rows fall in threshold; each holds for what is at or above its own.
        fitting = [row for row in rows if row.threshold >= threshold]
        return float(fitting[-1].score)

    @staticmethod
    def _normalised(score: float, windows: int) -> float:
        """0 is a detector that says nothing, 100 one that finds each window at its beginning."""
        return 100 * (score + windows) / (2 * windows)


def vus_pr(checkout: Path) -> ModuleType:
    """TSB-AD's own metrics; needs its dependencies.

    Raises:
        ImportError: one of them is missing.
    """
    return _imported(checkout, "TSB_AD.evaluation.metrics")


def window_length(checkout: Path, values: NDArray[np.float64]) -> int:
    """The buffer around labels that TSB-AD takes for a series."""
    found: Any = _imported(checkout, "TSB_AD.utils.slidingWindows")
    return int(found.find_length_rank(values.reshape(-1, 1), rank=1))


def of_tsb_ad(checkout: Path, files: Sequence[NabFile]) -> list[tuple[str, NabFile]]:
    """The series of TSB-AD-U that are a file of NAB, recognised by length and first anomaly."""
    listed = (checkout / "Datasets" / "File_List" / "TSB-AD-U.csv").read_text().split()
    found = []
    for name in listed:
        match = _LISTED.fullmatch(name)
        if match is None:
            continue
        trained, first = int(match[2]), int(match[3])
        fitting = [
            file
            for file in files
            if file.windows
            and abs(file.windows[0][0] - first) <= 1
            and (abs(len(file.values) // 4 - trained) <= 1 or trained == 500)
        ]
        if len(fitting) == 1:
            found.append((name, fitting[0]))
    return found


def published(checkout: Path, column: str) -> dict[str, float]:
    """A published column of TSB-AD's table of VUS-PR, by file."""
    table = checkout / "benchmark_exp" / "benchmark_eval_results" / "uni_mergedTable_VUS-PR.csv"
    with table.open(newline="") as file:
        return {row["file"]: float(row[column]) for row in csv.DictReader(file)}


def _imported(checkout: Path, name: str) -> ModuleType:
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    return importlib.import_module(name)
