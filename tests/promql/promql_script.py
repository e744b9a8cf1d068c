"""Runs PromQL cases written as text, in the manner of Prometheus's test scripts.

    load 1m
      requests_total{job="a"}  0+10x10 _ stale NaN

    eval instant at 10m rate(requests_total[5m])
      {job="a"} 0.16666

    eval range from 0 to 2m step 1m requests_total
      requests_total{job="a"} 0 10 20

    eval instant at 1m foo(
      expect fail msg: 1:5: parse error: unclosed left parenthesis

``expect`` also takes ``ordered``, ``warn``, ``info``, ``no_warn``, ``no_info``, ``string`` and,
with ``msg:`` or ``regex:``, what the text must be. ``clear`` forgets all series.
"""

import asyncio
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Matrix, QueryResult, Scalar, String
from pynomaly.promql.local import answer
from pynomaly.promql.scan import duration_ms
from pynomaly.promql.state import Grid, QueryState
from pynomaly.storage.samples.memory import MemorySamples

Points = list[float | None]
TOLERANCE = 1e-6


class Unsupported(Exception):
    """The script uses what the runner does not have."""


@dataclass
class Load:
    line: int
    interval: int
    series: list[tuple[Labels, Points]] = field(default_factory=list)


@dataclass
class Clear:
    line: int


@dataclass
class Eval:
    line: int
    expr: str
    grid: Grid
    instant: bool
    expects: list[tuple[str, str, str]] = field(default_factory=list)
    series: list[tuple[Labels, Points]] = field(default_factory=list)
    scalar: float | None = None
    native: bool = False

    def wants(self, kind: str) -> list[tuple[str, str]]:
        return [(how, text) for what, how, text in self.expects if what == kind]


Command = Load | Clear | Eval


def parse_script(text: str) -> list[Command]:
    commands: list[Command] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        begins = raw[0] not in " \t" or re.match(r"(eval|load|clear)\b", line)
        if begins and not line.startswith("expect"):
            commands.append(_command(number, line))
            continue
        _detail(commands[-1], line)
    return commands


def _command(number: int, line: str) -> Command:
    if line == "clear":
        return Clear(number)
    if found := re.fullmatch(r"load(?:_with_nhcb)?\s+(\S+)", line):
        return Load(number, _duration(found[1]))
    if found := re.fullmatch(r"eval(_\w+)? instant (?:at (\S+))?\s*(.*)", line):
        at = _duration(found[2] or "0")
        case = Eval(number, found[3], Grid(at, 1, 1), instant=True)
    elif found := re.fullmatch(r"eval(_\w+)? range from (\S+) to (\S+) step (\S+)\s+(.*)", line):
        start, end, step = (_duration(found[i]) for i in (2, 3, 4))
        case = Eval(number, found[5], Grid.between(start, end, step), instant=False)
    else:
        raise Unsupported(f"line {number}: {line}")
    if found[1]:
        case.expects.append((found[1].removeprefix("_"), "", ""))
    return case


def _duration(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("-")
    return sign * (round(float(text) * 1000) if _is_number(text) else duration_ms(text))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _detail(command: Command, line: str) -> None:
    if isinstance(command, Eval):
        if found := re.fullmatch(r"expect (\w+)(?: (msg|regex):\s*(.*)| (.*))?", line):
            text = found[3] if found[2] else found[4] or ""
            command.expects.append((found[1], found[2] or "", text))
            return
        if _is_number(line):
            command.scalar = float(line)
            return
    if "{{" in line:
        if isinstance(command, Eval):
            command.native = True
        return
    assert not isinstance(command, Clear)
    command.series.append(_series(line))


_SERIES = re.compile(r"""([^\s{]*(?:\{(?:"(?:\\.|[^"\\])*"|'[^']*'|`[^`]*`|[^}"'`])*\})?)\s*(.*)""")
_LABEL = re.compile(
    r"""\s*("(?:\\.|[^"\\])*"|[\w:.]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|'[^']*'|`[^`]*`))?\s*,?"""
)


def _series(line: str) -> tuple[Labels, Points]:
    found = _SERIES.fullmatch(line)
    assert found, line
    return parse_labels(found[1]), list(_points(found[2]))


def parse_labels(text: str) -> Labels:
    name, _, inner = text.partition("{")
    labels = {"__name__": name}
    for match in _LABEL.finditer(inner.rstrip().removesuffix("}")):
        if match[2] is None:
            labels["__name__"] = _unquoted(match[1])
        else:
            labels[_unquoted(match[1])] = _unquoted(match[2])
    return Labels(labels)


def _unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    if text[0] in "\"'":
        inner = text[1:-1].encode("latin-1", "backslashreplace")
        return inner.decode("unicode_escape") if b"\\" in inner else text[1:-1]
    return text


_SEQUENCE = re.compile(
    r"(?P<start>_|stale|[-+]?(?:nan|inf|[\d.]+(?:e[-+]?\d+)?))"
    r"(?P<step>[-+](?:inf|[\d.]+(?:e[-+]?\d+)?))?(?:x(?P<times>\d+))?",
    re.IGNORECASE,
)


def _points(text: str) -> Iterator[float | None]:
    for word in text.split():
        found = _SEQUENCE.fullmatch(word)
        if not found:
            raise Unsupported(f"points {word!r}")
        times = int(found["times"] or 0)
        if found["start"] == "_":
            yield from [None] * max(times, 1)
            continue
        start = STALE if found["start"] == "stale" else float(found["start"])
        step = float(found["step"]) if found["step"] else None
        for i in range(times + 1):
            yield start if step is None else start + i * step


class Script:
    """Series in memory, and the cases to hold against them."""

    def __init__(self, text: str) -> None:
        self.commands = parse_script(text)
        self._store = MemorySamples()

    def failures(self) -> Iterator[tuple[Eval, str]]:
        """Run it; give each case with what is wrong, or the empty string."""
        for command in self.commands:
            match command:
                case Clear():
                    self._store = MemorySamples()
                case Load():
                    self._load(command)
                case Eval():
                    yield command, self.check(command)

    def _load(self, load: Load) -> None:
        rows = [
            (labels, i * load.interval, value)
            for labels, points in load.series
            for i, value in enumerate(points)
            if value is not None
        ]
        asyncio.run(self._store.append(_batch(rows)))

    def ask(self, case: Eval, grid: Grid, kind: str) -> QueryResult:
        return answer(
            kind,
            case.expr,
            QueryState(self._store, QuerySettings(experimental_functions=True), grid),
        )

    def check(self, case: Eval) -> str:
        try:
            result = self.ask(case, case.grid, "instant" if case.instant else "range")
        except PynomalyError as error:
            return self._check_failure(case, error)
        if case.wants("fail"):
            return "it did not fail"
        if case.native:
            return "native histograms expected"
        wrong = _check_notes(case, result) or _check_value(case, result)
        return wrong or self._check_as_range(case, result)

    def _check_failure(self, case: Eval, error: PynomalyError) -> str:
        wanted = case.wants("fail")
        if not wanted:
            return f"failed: {error}"
        return next(filter(None, (_check_text(how, t, [error.message]) for how, t in wanted)), "")

    def _check_as_range(self, case: Eval, result: QueryResult) -> str:
        """An instant query is one step of a range query: hold the other steps away from it."""
        if not case.instant or case.wants("ordered") or not isinstance(result.value, Matrix):
            return ""
        grid = Grid(case.grid.start - 60_000, 60_000, 3)
        try:
            around = self.ask(case, grid, "range").value
        except PynomalyError as error:
            return "" if "labelset" in str(error) or "match" in str(error) else f"as range: {error}"
        assert isinstance(around, Matrix)
        keep = around.present[:, 1]
        rows = [labels for labels, here in zip(around.labels, keep, strict=True) if here]
        middle = Matrix(rows, case.grid.times, around.values[keep, 1:2], around.present[keep, 1:2])
        wrong = _check_matrix(case, middle)
        return f"as range: {wrong}" if wrong else ""


def _batch(rows: list[tuple[Labels, int, float]]) -> SampleBatch:
    return SampleBatch.of(rows)


def _check_notes(case: Eval, result: QueryResult) -> str:
    for kind, notes in (("warn", result.warnings), ("info", result.infos)):
        if notes and case.wants(f"no_{kind}"):
            return f"unexpected {kind}: {notes}"
        wanted = case.wants(kind)
        if wanted and not notes:
            return f"no {kind}, wanted {wanted}"
        for how, text in wanted:
            if wrong := _check_text(how, re.sub(r" \(\d+:\d+\)$", "", text), notes):
                return wrong
    return ""


def _check_text(how: str, text: str, found: object) -> str:
    texts = list(found)  # type: ignore[call-overload]
    if how == "msg" and text.strip('"') not in [each.strip('"') for each in texts]:
        return f"found {texts}, wanted {text!r}"
    if how == "regex" and not any(re.search(text, each) for each in texts):
        return f"found {texts}, wanted /{text}/"
    return ""


def _check_value(case: Eval, result: QueryResult) -> str:
    match result.value:
        case String(_, value):
            wanted = [
                shlex.split(t)[0] if t[0] != "`" else t[1:-1] for _, t in case.wants("string")
            ]
            return "" if [value] == wanted else f"found {value!r}, wanted {wanted}"
        case Scalar():
            if case.instant:
                assert case.scalar is not None
                close = _close(float(result.value.values[0]), case.scalar)
                return "" if close else f"found {result.value.values[0]}, wanted {case.scalar}"
            values = result.value.values[None, :]
            present = np.ones(values.shape, dtype=bool)
            return _check_matrix(case, Matrix([Labels()], case.grid.times, values, present))
        case SeriesSamples():
            return _check_samples(case, result.value)
        case Matrix():
            return _check_matrix(case, result.value)
    return f"{type(result.value)}"


def _check_samples(case: Eval, samples: SeriesSamples) -> str:
    found = {
        labels: samples.values[samples.offsets[i] : samples.offsets[i + 1]].tolist()
        for i, labels in enumerate(samples.labels)
    }
    wanted = {labels: [p for p in points if p is not None] for labels, points in case.series}
    if found.keys() != wanted.keys():
        return f"found {found}, wanted {wanted}"
    for labels, values in found.items():
        if len(values) != len(wanted[labels]) or not all(map(_close, values, wanted[labels])):
            return f"{labels}: found {values}, wanted {wanted[labels]}"
    return ""


def _check_matrix(case: Eval, matrix: Matrix) -> str:
    if case.scalar is not None:
        return f"found a vector, wanted the scalar {case.scalar}"
    if case.wants("ordered") and matrix.labels != [labels for labels, _ in case.series]:
        return f"found the order {matrix.labels}"
    wanted = {
        labels: points for labels, points in case.series if any(p is not None for p in points)
    }
    found = dict(zip(matrix.labels, range(len(matrix)), strict=True))
    if len(found) != len(matrix) or found.keys() != wanted.keys():
        values = matrix.values.tolist()
        return f"found {list(map(str, matrix.labels))} {values}, wanted {list(map(str, wanted))}"
    for labels, points in wanted.items():
        row = found[labels]
        points = points + [None] * (len(case.grid.times) - len(points))
        for k, want in enumerate(points):
            has = bool(matrix.present[row, k])
            if has != (want is not None) or (
                want is not None and not _close(float(matrix.values[row, k]), want)
            ):
                shown = np.where(matrix.present[row], matrix.values[row], np.nan).tolist()
                return (
                    f"{labels} at step {k}: found {shown} ({matrix.present[row]}), wanted {points}"
                )
    return ""


def _close(found: float, wanted: float) -> bool:
    if math.isnan(found) or math.isnan(wanted):
        return math.isnan(found) and math.isnan(wanted)
    if found == wanted:
        return True
    return abs(found - wanted) <= TOLERANCE * (abs(found) + abs(wanted))
