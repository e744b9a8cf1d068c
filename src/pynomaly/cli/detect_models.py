"""``pynomaly detect models``, ``train`` and ``rollback``: ask the running server."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pynomaly.cli.client import Client
from pynomaly.cli.output import is_terminal, out
from pynomaly.model.errors import PynomalyError

_PATH = "/api/detection/models"
_JSON = {"Content-Type": "application/json"}
_POLL_SECONDS = 0.5


class TrainingFailed(PynomalyError):
    """The server could not train; the message says why."""


def show(url: str, *, as_json: bool) -> None:
    """Every version of the models, side by side."""
    found = Client(url).get(_PATH)
    if as_json:
        out.print_json(json.dumps(found))
        return
    if not found["models"]:
        out.print("There are no models. Name queries in components.anomaly_detection.queries.")
    else:
        for line in _lines(found["models"]):
            out.print(line, markup=False, soft_wrap=True)
    for each in found["trainings"]:
        if each["state"] != "done":
            out.print(_told(each), markup=False, soft_wrap=True)


def train(url: str, query: str, *, wait: bool) -> None:
    """Train a watched query; by default until it is done, with its progress.

    Raises:
        TrainingFailed: it failed; the message says what is missing.
    """
    client = Client(url)
    progress = client.post(f"{_PATH}/train", json.dumps({"query": query}).encode(), headers=_JSON)
    told = ""
    while wait and progress["state"] not in ("done", "failed"):
        if is_terminal() and _told(progress) != told:
            told = _told(progress)
            out.print(told, markup=False)
        time.sleep(_POLL_SECONDS)
        trainings = client.get(_PATH)["trainings"]
        progress = next(each for each in trainings if each["query"] == query)
    if progress["state"] == "failed":
        raise TrainingFailed(progress["error"])
    out.print(_told(progress), markup=False)


def roll_back(url: str, query: str, algorithm: str, version: int) -> None:
    """Use an older version of a model; 0 is the one before that in use."""
    wanted = {"query": query, "algorithm": algorithm, "version": version}
    used = Client(url).post(f"{_PATH}/rollback", json.dumps(wanted).encode(), headers=_JSON)
    out.print(
        f"{used['query']} is judged by version {used['version']} of {used['algorithm']}, "
        f"trained {_time(used['trained_at'])}",
        markup=False,
    )


def _lines(models: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each version, in columns."""
    rows = [("QUERY", "ALGORITHM", "VERSION", "SERIES", "PASSES/WEEK", "DRIFT", "TRAINED", "DATA")]
    rows += [
        (
            each["query"],
            each["algorithm"],
            f"{each['version']}{' in use' if each['active'] else ''}",
            str(each["series"]),
            _number(each["backtest"]["passes_per_week"]),
            _number(each["drift"]),
            _time(each["trained_at"]),
            f"{_time(each['data_from'])} to {_time(each['data_until'])}",
        )
        for each in models
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _told(progress: dict[str, Any]) -> str:
    parts = f", {progress['done']} of {progress['total']} parts" if progress["total"] else ""
    error = f": {progress['error']}" if progress["error"] else ""
    return f"training of {progress['query']}: {progress['state']}{parts}{error}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
