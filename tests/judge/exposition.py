"""The text formats, judged by OpenObservability/OpenMetrics and by prometheus/common."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from pynomaly.ingest.exposition import openmetrics, text
from pynomaly.ingest.exposition.samples import Exposition, ParseError
from tests.judge import golang, repositories
from tests.judge.score import Score

_OPENMETRICS = "tests/testdata/parsers"
_EXPFMT = "expfmt/text_parse_test.go"


def judge_openmetrics(folder: Path) -> Score | None:
    """Every case of the specification's own suite: accepted or rejected."""
    repository = repositories.find(folder, _OPENMETRICS)
    if repository is None:
        return None
    score = Score("OpenObservability/OpenMetrics, parser cases")
    for path in repository.list(_OPENMETRICS):
        if not path.endswith("/test.json"):
            continue
        case = json.loads(repository.read(path))
        body = repository.read(path.removesuffix("test.json") + case.get("file", "metrics"))
        try:
            openmetrics.parse(body)
            said = "accepted"
        except ParseError as error:
            said = f"rejected ({error})"
        wanted = "accepted" if case["shouldParse"] else "rejected"
        name = path.split("/")[-2]
        score.note(name, "" if said.startswith(wanted) else f"must be {wanted}, was {said}")
    return score


def judge_expfmt(folder: Path) -> Score | None:
    """The parser's tests: the samples of what is accepted, the line of what is rejected."""
    repository = repositories.find(folder, _EXPFMT)
    if repository is None:
        return None
    score = Score("prometheus/common, expfmt text format")
    source = repository.read(_EXPFMT).decode()
    for number, case in enumerate(golang.table(source, "testTextParse")):
        score.note(f"accepted {number}", _compare(_bytes(case["in"]), case["out"]))
    for number, case in enumerate(golang.table(source, "testTextParseError")):
        score.note(f"rejected {number}", _refusal(_bytes(case["in"]), case["errUTF8"]))
    for path in repository.list("expfmt/testdata"):
        if path.endswith("/text"):
            score.note(path, _refusal(repository.read(path), ""))
    for path in repository.list("expfmt/fuzz/corpus"):
        wanted = "some fault" if "error" in path else ""
        score.note(path, _refusal(repository.read(path), wanted))
    return score


def _bytes(value: str) -> bytes:
    return value.encode(errors="surrogateescape")


def _refusal(body: bytes, wanted: str) -> str:
    try:
        text.parse(body, strict=True)
    except ParseError as error:
        line = re.search(r"in line (\d+)", wanted)
        if not wanted:
            return f"must be accepted, was rejected: {error}"
        if line and int(line.group(1)) != error.line:
            return f"expected {wanted!r}, got {error}"
        return ""
    return f"must be rejected ({wanted}), was accepted" if wanted else ""


def _compare(body: bytes, families: list[dict[str, Any]]) -> str:
    try:
        parsed = text.parse(body, strict=True)
    except ParseError as error:
        return f"must be accepted, was rejected: {error}"
    wanted = Counter(row for family in families for row in _expected(family))
    found = Counter(_found(parsed))
    if wanted == found:
        return ""
    return f"lacks {sorted(wanted - found)}, has besides {sorted(found - wanted)}"


Row = tuple[str, tuple[tuple[str, str], ...], str]


def _row(name: str, labels: dict[str, str], value: float) -> Row:
    numbered = {n: repr(float(v)) if n in ("le", "quantile") else v for n, v in labels.items() if v}
    return name, tuple(sorted(numbered.items())), repr(float(value))


def _found(parsed: Exposition) -> list[Row]:
    return [
        _row(series.name, dict(series.labels), value)
        for series, value in zip(parsed.series, parsed.values, strict=True)
    ]


def _expected(family: dict[str, Any]) -> list[Row]:
    rows = []
    for metric in family["Metric"]:
        labels = {pair["Name"]: pair["Value"] for pair in metric.get("Label", ())}
        if "Summary" in metric:
            rows += _summary(family["Name"], labels, metric["Summary"])
        elif "Histogram" in metric:
            rows += _histogram(family["Name"], labels, metric["Histogram"])
        else:
            value = next(metric[k]["Value"] for k in ("Counter", "Gauge", "Untyped") if k in metric)
            rows.append(_row(family["Name"], labels, value))
    return rows


def _summary(name: str, labels: dict[str, str], summary: dict[str, Any]) -> list[Row]:
    rows = [
        _row(name, labels | {"quantile": str(q["Quantile"])}, q["Value"])
        for q in summary.get("Quantile", ())
    ]
    return rows + _totals(name, labels, summary)


def _histogram(name: str, labels: dict[str, str], histogram: dict[str, Any]) -> list[Row]:
    rows = []
    for bucket in histogram.get("Bucket", ()):
        count = bucket.get("CumulativeCount", bucket.get("CumulativeCountFloat", math.nan))
        rows.append(_row(name + "_bucket", labels | {"le": str(bucket["UpperBound"])}, count))
    return rows + _totals(name, labels, histogram)


def _totals(name: str, labels: dict[str, str], metric: dict[str, Any]) -> list[Row]:
    suffixes = {"SampleCount": "_count", "SampleCountFloat": "_count", "SampleSum": "_sum"}
    return [_row(name + s, labels, metric[k]) for k, s in suffixes.items() if k in metric]
