"""``pynomaly query``: instant values as a table, ranges as sparklines."""

import json
import math
import re
import time
from typing import Any

from rich.table import Table
from rich.text import Text

from pynomaly.cli.client import Client
from pynomaly.cli.options import read_time
from pynomaly.cli.output import err, out
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_BARS = "▁▂▃▄▅▆▇█"
_MOST_ROWS = 100
_POINTS = 60


def show(url: str, expr: str, *, at: str, over: str, step: str, as_json: bool) -> None:
    """Ask and print."""
    client = Client(url)
    if over:
        end = read_time("--at", at or "now", time.time())
        start = end - seconds(over)
        width = seconds(step) if step else max(1.0, (end - start) / _POINTS)
        params = {"query": expr, "start": start, "end": end, "step": width}
        answer = client.get("/api/v1/query_range", params)
    else:
        answer = client.get("/api/v1/query", {"query": expr, **({"time": at} if at else {})})
    if as_json:
        out.print_json(json.dumps(answer["data"]))
        return
    for note in [*answer.get("warnings", ()), *answer.get("infos", ())]:
        err.print(f"note: {note}", markup=False)
    _print(answer["data"])


def seconds(text: str) -> float:
    """The length of a duration such as ``1h30m``.

    Raises:
        BadInput: it is not one.
    """
    if not text or _DURATION.sub("", text):
        raise BadInput(f"{text!r} is not a duration.", hint="Write it like 90s, 15m or 1h30m.")
    return sum(int(n) * _UNITS[unit] for n, unit in _DURATION.findall(text))


def _print(data: dict[str, Any]) -> None:
    result = data["result"]
    if data["resultType"] in ("scalar", "string"):
        out.print(result[1], markup=False)
        return
    if not result:
        out.print("Nothing matches at that time.")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for series in result[:_MOST_ROWS]:
        name = Text(str(Labels(series["metric"])), overflow="fold")
        if "value" in series:
            table.add_row(name, series["value"][1])
        else:
            values = [float(v) for _, v in series["values"]]
            table.add_row(name, sparkline(values), series["values"][-1][1])
    out.print(table)
    if len(result) > _MOST_ROWS:
        out.print(f"… and {len(result) - _MOST_ROWS} more series; --json prints all.")


def sparkline(values: list[float]) -> str:
    """One bar a value, from the least to the greatest; a space where there is no number."""
    real = [v for v in values if math.isfinite(v)]
    if not real:
        return " " * len(values)
    low, span = min(real), (max(real) - min(real)) or 1.0
    top = len(_BARS) - 1
    return "".join(
        _BARS[round((v - low) / span * top)] if math.isfinite(v) else " " for v in values
    )
