"""``pynomaly detect score`` on files, as a person would call it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pynomaly.cli.commands import app
from pynomaly.detection.files import COLUMNS

SPIKE = 1500


def write(path: Path, *, rows: int = 2000, header: str = "timestamp,value,host") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(size=rows)
    lines = [header]
    for i in range(rows):
        at = np.datetime64("2026-03-01T00:00:00") + np.timedelta64(5 * i, "m")
        value = 50 + noise[i] + (90 if SPIKE <= i < SPIKE + 4 else 0)
        lines.append(f'{str(at).replace("T", " ")},{value:.3f},"a, b"')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def score(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["detect", "score", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["detect", "score", *map(str, arguments)])
    assert result.exit_code != 0
    return result.output


def test_a_file_is_given_back_row_for_row_with_five_columns_more(tmp_path: Path) -> None:
    write(tmp_path / "cpu.csv")
    score(tmp_path / "cpu.csv", "--out", tmp_path / "scored.csv")
    with (tmp_path / "cpu.csv").open() as before, (tmp_path / "scored.csv").open() as after:
        given, found = list(csv.reader(before)), list(csv.reader(after))
    assert [row[:3] for row in found] == given
    assert found[0][3:] == list(COLUMNS)
    assert found[1][3:] == [""] * 5
    events = [i - 1 for i, row in enumerate(found) if i and row[7] not in ("", "0")]
    assert SPIKE <= events[-1] <= SPIKE + 6
    assert 0 < float(found[events[-1] + 1][7]) <= 1


def test_a_folder_keeps_its_subfolders(tmp_path: Path) -> None:
    for name in ("a.csv", "deep/er/b.csv"):
        write(tmp_path / "in" / name, rows=150)
    (tmp_path / "in" / "notes.txt").write_text("no series")
    score(tmp_path / "in", "--out", tmp_path / "out")
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.csv"))
    assert found == ["a.csv", "deep/er/b.csv"]
    assert not (tmp_path / "out" / "notes.txt").exists()


def test_many_files_in_several_processes_are_scored_as_in_one(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path / "in" / f"{i}.csv", rows=600 + 50 * i)
    score(tmp_path / "in", "--out", tmp_path / "one", "--jobs", 1)
    score(tmp_path / "in", "--out", tmp_path / "all", "--jobs", 3)
    for path in (tmp_path / "one").iterdir():
        assert path.read_text() == (tmp_path / "all" / path.name).read_text()


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epochs_of_every_unit_are_understood(tmp_path: Path, unit: int) -> None:
    lines = ["Time,Load"]
    lines += [f"{(1_700_000_000 + 60 * i) * unit},{i % 7}" for i in range(300)]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    options = ("--timestamp-column", "time", "--value-column", "load", "--json")
    told = json.loads(score(tmp_path / "x.csv", "--out", tmp_path / "y.csv", *options))
    assert told[0]["rows"] == 300
    assert told[0]["scored"] > 150


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when,value\n1,2\n", "has no column timestamp"),
        ("timestamp,value\n2026-01-01,1\nyesterday,2\n", "line 3: 'yesterday' cannot be read"),
        ("timestamp,value\n2026-01-01,much\n", "line 2: 'much' cannot be read"),
        ("timestamp,value\n2026-01-01\n", "line 2: 2 cells are expected"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert said in " ".join(refused(tmp_path / "x.csv", "--out", tmp_path / "y.csv").split())


def test_a_source_that_is_not_there_and_a_target_that_is_the_source_are_refused(
    tmp_path: Path,
) -> None:
    assert "does not exist" in refused(tmp_path / "x.csv", "--out", tmp_path / "y.csv")
    write(tmp_path / "x.csv", rows=10)
    assert "is the file that is read" in refused(
        tmp_path / "x.csv", "--out", tmp_path / "x.csv"
    ).replace("\n", " ")


def test_a_holiday_is_like_a_sunday(tmp_path: Path) -> None:
    """Nobody works on Ascension; 14 May 2026, a Thursday."""
    noise = np.random.default_rng(3).normal(size=(8 * 7 + 1) * 24)
    begin, closed = np.datetime64("2026-03-19T00:00:00"), "2026-05-14"
    lines = ["timestamp,value"]
    for hour, each in enumerate(noise):
        at = begin + np.timedelta64(hour, "h")
        day = str(at)[:10]
        works = bool(np.is_busday(np.datetime64(day))) and day != closed and 9 <= hour % 24 < 17
        lines.append(f"{str(at).replace('T', ' ')},{20 + 60 * works + each:.2f}")
    (tmp_path / "office.csv").write_text("\n".join(lines) + "\n")

    def most(*more: str) -> float:
        score(tmp_path / "office.csv", "--out", tmp_path / "out.csv", *more)
        with (tmp_path / "out.csv").open() as file:
            rows = list(csv.DictReader(file))
        return max(float(row["anomaly_score"]) for row in rows if closed in row["timestamp"])

    assert most() > 0.6
    assert most("--holidays", "DE") < 0.5
    assert "no country" in refused(
        tmp_path / "office.csv", "--out", tmp_path / "out.csv", "--holidays", "Mars"
    )
