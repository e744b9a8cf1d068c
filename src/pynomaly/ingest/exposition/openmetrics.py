"""OpenMetrics 1.0 text.

``strict`` holds a body to the whole specification, as its reference cases demand; without it only
the syntax counts, as for a Prometheus server's scrape. Created timestamps (``x_created``) are
ordinary series, as for a Prometheus without its experimental zero ingestion.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pynomaly.ingest.exposition.families import FamilyRules, Sample
from pynomaly.ingest.exposition.labels import (
    BLOCK,
    METRIC,
    QUOTED,
    Dialect,
    Fault,
    parse_series,
    unescape,
)
from pynomaly.ingest.exposition.samples import (
    ExposedExemplar,
    Exposition,
    Family,
    ParseError,
    Series,
)
from pynomaly.ingest.exposition.text import clamped
from pynomaly.model.exemplars import MAX_LABEL_CHARACTERS
from pynomaly.model.samples import MetricMetadata

_NUMBER = rb"[-+.0-9A-Za-z]+"
_SAMPLE = re.compile(
    rb"((?:" + METRIC + rb")?(?:" + BLOCK + rb")?) (" + _NUMBER + rb")(?: (" + _NUMBER + rb"))?"
    rb"(?: # (" + BLOCK + rb") (" + _NUMBER + rb")(?: (" + _NUMBER + rb"))?)?"
)
_EXEMPLAR = re.compile(rb"(" + BLOCK + rb") (" + _NUMBER + rb")(?: (" + _NUMBER + rb"))?")
_BEFORE_EXEMPLAR = b" # "
_META = re.compile(rb"# (HELP|TYPE|UNIT) (" + METRIC + rb"|" + QUOTED + rb") (.*)", re.DOTALL)
_SERIES = re.compile(rb"(?:" + METRIC + rb")?(?:" + BLOCK + rb")?")
_TYPES = frozenset(
    ["counter", "gauge", "histogram", "gaugehistogram", "stateset", "info", "summary", "unknown"]
)
_DIALECT = Dialect(blanks=False, trailing_comma=False, known_escapes_only=False)
_EOF = b"# EOF"


def parse(
    body: bytes, *, strict: bool = True, known: dict[bytes, Series] | None = None
) -> Exposition:
    """Read a whole body.

    ``known`` maps the text of series to what they are, from earlier bodies, and is added to.

    Raises:
        ParseError: the first line that is wrong, and why.
    """
    parser = Parser(strict=strict, known=known)
    lines = body.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    parser.feed(lines)
    parser.finish()
    out = parser.take()
    out.metadata = parser.metadata()
    return out


@dataclass(frozen=True, slots=True)
class Bare:
    """A body without its exemplars: those stand by the 0-based number of their line."""

    body: bytes
    exemplars: Mapping[int, ExposedExemplar]
    known: Mapping[bytes, ExposedExemplar]
    """The same by their text, for the next body: most are exposed until there is a newer one."""


def bare(body: bytes, known: Mapping[bytes, ExposedExemplar]) -> Bare:
    """Cut off what is an exemplar by its looks; whether its line is a sample nobody has checked."""
    if _BEFORE_EXEMPLAR not in body:
        return Bare(body, {}, {})
    lines = body.split(b"\n")
    exemplars: dict[int, ExposedExemplar] = {}
    seen: dict[bytes, ExposedExemplar] = {}
    for number, line in enumerate(lines):
        if _BEFORE_EXEMPLAR not in line or line[:1] == b"#":
            continue
        sample, _, text = line.rpartition(_BEFORE_EXEMPLAR)
        exemplar = known.get(text) or _exemplar_of(text)
        if exemplar is not None:
            lines[number] = sample
            exemplars[number] = seen[text] = exemplar
    return Bare(b"\n".join(lines), exemplars, seen)


def _exemplar_of(text: bytes) -> ExposedExemplar | None:
    found = _EXEMPLAR.fullmatch(text)
    if found is None:
        return None
    try:
        return _exemplar(*found.groups(), strict=False)
    except Fault:
        return None


class Parser:
    """The same for a body that comes in pieces: ``feed`` whole lines, ``take`` what they gave.

    ``finish`` says whether the body was complete.
    """

    def __init__(self, *, strict: bool = True, known: dict[bytes, Series] | None = None) -> None:
        self.known: dict[bytes, Series] = {} if known is None else known
        self._out = Exposition()
        self._rules = FamilyRules(self._out.guards) if strict else None
        self._families: dict[str, Family] = {}
        self._line = 0
        self._ended = False

    def feed(self, lines: Iterable[bytes]) -> None:
        """Read lines, without their newlines.

        Raises:
            ParseError: the first line that is wrong, and why.
        """
        try:
            for line in lines:
                self._line += 1
                self._read(line)
        except Fault as fault:
            raise ParseError(self._line, str(fault)) from None

    def take(self) -> Exposition:
        """What was read since the last time, without metadata."""
        taken, self._out = self._out, Exposition()
        if self._rules is not None:
            self._rules.guards = self._out.guards
        return taken

    def metadata(self) -> list[MetricMetadata]:
        """What the comment lines said of each family so far."""
        return [family.metadata() for family in self._families.values()]

    def finish(self) -> None:
        """Check that the body is whole.

        Raises:
            ParseError: ``# EOF`` is missing, or the last family is not complete.
        """
        if not self._ended:
            raise ParseError(self._line, "the body does not end with '# EOF'")

    def _read(self, line: bytes) -> None:
        if self._ended:
            raise Fault("there is more after '# EOF'")
        if line[:1] == b"#":
            self._comment(line)
            return
        found = _SAMPLE.fullmatch(line)
        if found is None:
            raise _explain(line)
        raw, value, timestamp, exemplar, exemplar_value, exemplar_timestamp = found.groups()
        series = self.known.get(raw)
        if series is None:
            series = self.known[raw] = parse_series(raw, _DIALECT)
        number = _number(value, "value")
        seconds = None if timestamp is None else _timestamp(timestamp)
        out = self._out
        if exemplar is not None:
            out.exemplars[len(out.values)] = _exemplar(
                exemplar, exemplar_value, exemplar_timestamp, strict=self._rules is not None
            )
        if self._rules is not None:
            index = len(out.values)
            self._rules.sample(Sample(index, series, number, seconds, exemplar is not None))
        out.raw.append(raw)
        out.series.append(series)
        out.values.append(number)
        out.timestamps.append(None if seconds is None else _milliseconds(seconds))
        out.lines.append(self._line)

    def _comment(self, line: bytes) -> None:
        if line == _EOF:
            self._ended = True
            if self._rules is not None:
                self._rules.end()
            return
        found = _META.fullmatch(line)
        if found is None:
            raise Fault(
                "expected '# HELP', '# TYPE' or '# UNIT' with a name and a text, or '# EOF'"
            )
        keyword, quoted, text = found.groups()
        name = unescape(quoted.strip(b'"'), known_only=False).decode(errors="replace")
        if self._rules is not None:
            self._rules.family(name)
        family = self._families.setdefault(name, Family(name))
        try:
            said = text.decode()
        except UnicodeDecodeError:
            raise Fault(f"the text is not UTF-8: {text!r}") from None
        self._describe(family, keyword.decode(), said)
        if self._rules is not None:
            self._rules.described(family, keyword.decode())

    @staticmethod
    def _describe(family: Family, keyword: str, text: str) -> None:
        match keyword:
            case "TYPE":
                if text not in _TYPES:
                    raise Fault(f"unknown metric type {text!r}")
                family.type = text
            case "UNIT":
                if text and not family.name.endswith("_" + text):
                    raise Fault(f"unit {text!r} is not a suffix of metric {family.name!r}")
                family.unit = text
            case _:
                family.help = unescape(text.encode(), known_only=False).decode()


def _number(text: bytes, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Fault(f"expected a number as {what}, found {text.decode()!r}") from None


def _timestamp(text: bytes) -> float:
    seconds = _number(text, "timestamp")
    if not math.isfinite(seconds):
        raise Fault(f"a timestamp cannot be {text.decode()}")
    return seconds


def _milliseconds(seconds: float) -> int:
    return clamped(int(seconds * 1000))


def _exemplar(
    block: bytes, value: bytes, timestamp: bytes | None, *, strict: bool
) -> ExposedExemplar:
    labels = parse_series(b"exemplar" + block, _DIALECT).labels
    # A Prometheus takes the samples all the same, and leaves out the exemplar.
    if strict and sum(map(len, (*labels, *labels.values()))) > MAX_LABEL_CHARACTERS:
        raise Fault(f"the labels of an exemplar exceed {MAX_LABEL_CHARACTERS} characters")
    number = _number(value, "value of the exemplar")
    seconds = None if timestamp is None else _timestamp(timestamp)
    return ExposedExemplar(labels, number, None if seconds is None else _milliseconds(seconds))


def _explain(line: bytes) -> Fault:
    """Why a line is not a sample; the slow way, once."""
    if not line:
        return Fault("blank lines are not allowed")
    found = _SERIES.match(line)
    raw = found.group() if found else b""
    rest = line[len(raw) :]
    try:
        parse_series(raw if rest[:1] != b"{" else line, _DIALECT)
    except Fault as fault:
        return fault
    shown = rest[:40].decode(errors="replace")
    return Fault(
        "expected a value, an optional timestamp and an optional exemplar, each after one blank, "
        f"found {shown!r}"
    )
