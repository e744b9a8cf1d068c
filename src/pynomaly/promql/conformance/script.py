"""Test scripts in the form of Prometheus's promqltest.

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

import re
from dataclasses import dataclass, field

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.promql.notation import (
    NotationError,
    Points,
    parse_points,
    parse_series,
)
from pynomaly.promql.scan import duration_ms
from pynomaly.promql.state import Grid

_NATIVE = "{{"


@dataclass
class Load:
    """Series that are stored, a point each ``interval`` milliseconds from 0 on.

    ``native`` are those of native histograms, ``unread`` the lines that are not understood.
    """

    line: int
    interval: int
    histograms_too: bool = False
    series: list[tuple[Labels, Points]] = field(default_factory=list)
    native: list[Labels] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass
class Clear:
    """From here on there are no series."""

    line: int


@dataclass
class Eval:
    """An expression, and what it must give."""

    line: int
    expr: str
    grid: Grid
    instant: bool
    expects: list[tuple[str, str, str]] = field(default_factory=list)
    series: list[tuple[Labels, Points]] = field(default_factory=list)
    scalar: float | None = None
    native: bool = False

    def wants(self, kind: str) -> list[tuple[str, str]]:
        """How (``msg``, ``regex``, or nothing) and what, of each expectation of a kind."""
        return [(how, text) for what, how, text in self.expects if what == kind]


Command = Load | Clear | Eval


def parse_script(text: str) -> list[Command]:
    """The commands of a script.

    Raises:
        NotationError: a line that is no command nor a detail of one.
    """
    commands: list[Command] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        begins = raw[0] not in " \t" or re.match(r"(eval|load|clear)\b", line)
        if begins and not line.startswith("expect"):
            commands.append(_command(number, line))
        elif commands:
            _detail(commands[-1], line, number)
    return commands


def _command(number: int, line: str) -> Command:
    if line == "clear":
        return Clear(number)
    if found := re.fullmatch(r"load(_with_nhcb)?\s+(\S+)", line):
        return Load(number, _milliseconds(found[2]), histograms_too=bool(found[1]))
    if found := re.fullmatch(r"eval(_\w+)? instant (?:at (\S+))?\s*(.*)", line):
        at = _milliseconds(found[2] or "0")
        case = Eval(number, found[3], Grid(at, 1, 1), instant=True)
    elif found := re.fullmatch(r"eval(_\w+)? range from (\S+) to (\S+) step (\S+)\s+(.*)", line):
        start, end, step = (_milliseconds(found[i]) for i in (2, 3, 4))
        case = Eval(number, found[5], Grid.between(start, end, step), instant=False)
    else:
        raise NotationError(f"line {number}: {line!r} is no command")
    if found[1]:
        case.expects.append((found[1].removeprefix("_"), "", ""))
    return case


def _milliseconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("-")
    number = _number(text)
    return sign * (duration_ms(text) if number is None else round(number * 1000))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _detail(command: Command, line: str, number: int) -> None:
    match command:
        case Clear():
            raise NotationError(f"line {number}: {line!r} follows nothing")
        case Load():
            _loaded(command, line)
        case Eval():
            _expected(command, line)


def _loaded(load: Load, line: str) -> None:
    labels, points = parse_series(line)
    if _NATIVE in points:
        load.native.append(labels)
        return
    if load.histograms_too and labels.name.endswith("_bucket"):
        name = labels.name.removesuffix("_bucket")
        load.native.append(Labels({**labels.without("le"), METRIC_NAME: name}))
    try:
        load.series.append((labels, list(parse_points(points))))
    except NotationError as error:
        load.unread.append(error.message)


def _expected(case: Eval, line: str) -> None:
    if found := re.fullmatch(r"expect (\w+)(?: (msg|regex):\s*(.*)| (.*))?", line):
        text = found[3] if found[2] else found[4] or ""
        case.expects.append((found[1], found[2] or "", text))
        return
    if (number := _number(line)) is not None:
        case.scalar = number
    elif _NATIVE in line:
        case.native = True
    else:
        labels, points = parse_series(line)
        case.series.append((labels, list(parse_points(points))))
