"""The Prometheus text format 0.0.4.

``strict`` holds a body to what the reference parser (prometheus/common, expfmt) demands; without
it a body is taken as a Prometheus server's scrape takes it: the last newline may be missing,
metadata may repeat or come late, and nobody checks what a histogram says.
"""

import re

from pynomaly.ingest.exposition.labels import (
    BLOCK,
    METRIC,
    QUOTED,
    Dialect,
    Fault,
    parse_series,
    unescape,
)
from pynomaly.ingest.exposition.samples import Exposition, Family, ParseError, Series

_SAMPLE = re.compile(
    rb"[ \t]*((?:" + METRIC + rb")?(?:[ \t]*" + BLOCK + rb")?)[ \t]*"
    rb"([-+.0-9A-Za-z]+)(?:[ \t]+(-?[0-9]+))?[ \t]*"
)
# A name must not run into the value: either a blank or a closing brace stands between them.
_ENDS = re.compile(rb"[ \t}]")
_META = re.compile(
    rb"[ \t]*#[ \t]+(HELP|TYPE)[ \t]+(" + METRIC + rb"|" + QUOTED + rb")(?:[ \t]+(.*))?",
    re.DOTALL,
)
_META_START = re.compile(rb"[ \t]*#[ \t]+(?:HELP|TYPE)[ \t]+[^ \t]")
_TYPES = {
    b"counter": "counter",
    b"gauge": "gauge",
    b"summary": "summary",
    b"histogram": "histogram",
    b"untyped": "unknown",
    b"gauge_histogram": "gaugehistogram",
    b"gaugehistogram": "gaugehistogram",
}
_STRICT = Dialect(blanks=True, trailing_comma=True, known_escapes_only=True)
_LENIENT = Dialect(blanks=True, trailing_comma=True, known_escapes_only=False)
_BLANK = b" \t"


def parse(
    body: bytes, *, strict: bool = False, known: dict[bytes, Series] | None = None
) -> Exposition:
    """Read a body.

    ``known`` maps the text of series to what they are, from earlier bodies, and is added to.

    Raises:
        ParseError: the first line that is wrong, and why.
    """
    return _Parser(strict, {} if known is None else known).read(body)


class _Parser:
    def __init__(self, strict: bool, known: dict[bytes, Series]) -> None:
        self.strict = strict
        self.dialect = _STRICT if strict else _LENIENT
        self.known = known
        self.out = Exposition()
        self.families: dict[str, Family] = {}
        self.sampled: set[str] = set()

    def read(self, body: bytes) -> Exposition:
        lines = body.split(b"\n")
        number = 0
        try:
            for number, line in enumerate(lines, 1):
                if line:
                    self._line(line, number)
        except Fault as fault:
            raise ParseError(number, str(fault)) from None
        if self.strict and lines[-1].strip(_BLANK):
            raise ParseError(len(lines), "unexpected end of input: the last line has no newline")
        self.out.metadata = [family.metadata() for family in self.families.values()]
        return self.out

    def _line(self, line: bytes, number: int) -> None:
        found = _SAMPLE.fullmatch(line)
        if found is None or not _ENDS.match(line, found.start(2) - 1):
            self._other(line)
            return
        raw, value, timestamp = found.groups()
        series = self.known.get(raw)
        if series is None:
            series = self.known[raw] = parse_series(raw, self.dialect)
        try:
            number_read = float(value)
        except ValueError:
            raise Fault(f"expected a float as value, found {value.decode()!r}") from None
        if self.strict:
            self._check(series, number_read)
        out = self.out
        out.raw.append(raw)
        out.series.append(series)
        out.values.append(number_read)
        out.timestamps.append(None if timestamp is None else clamped(int(timestamp)))
        out.lines.append(number)

    def _other(self, line: bytes) -> None:
        """A line that is no sample: blank, a comment, or wrong."""
        text = line.strip(_BLANK)
        if not text:
            return
        if text[:1] != b"#":
            raise self._explain(text)
        found = _META.fullmatch(line)
        if found is None:
            if _META_START.match(line):
                raise Fault("invalid metric name in comment")
            return
        keyword, name, rest = found.groups()
        if not rest:
            return
        family = self._family(self._metric_name(name))
        if keyword == b"TYPE":
            self._set_type(family, rest.strip(_BLANK))
        else:
            self._set_help(family, rest)

    def _metric_name(self, name: bytes) -> str:
        if name[:1] == b'"':
            return unescape(name[1:-1], known_only=self.strict).decode(errors="replace")
        return name.decode()

    def _family(self, name: str) -> Family:
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = Family(name)
        return family

    def _set_type(self, family: Family, text: bytes) -> None:
        if self.strict and (family.type is not None or family.name in self.sampled):
            raise Fault(
                f"second TYPE line for metric name {family.name!r}, or TYPE reported after samples"
            )
        kind = _TYPES.get(text.lower())
        if kind is None:
            raise Fault(f"unknown metric type {text.decode(errors='replace')!r}")
        family.type = kind

    def _set_help(self, family: Family, text: bytes) -> None:
        if self.strict and family.help is not None:
            raise Fault(f"second HELP line for metric name {family.name!r}")
        try:
            family.help = unescape(text, known_only=False).decode()
        except UnicodeDecodeError:
            raise Fault(f"the help of {family.name!r} is not UTF-8") from None

    def _check(self, series: Series, value: float) -> None:
        """What expfmt says of a sample beyond its syntax."""
        name, labels = series
        family, part = self._owner(name)
        self.sampled.add(family)
        kind = self.families[family].type if family in self.families else None
        if kind == "summary" and "quantile" in labels:
            _float_label(labels["quantile"], "quantile")
        if kind in ("histogram", "gaugehistogram"):
            if "le" in labels:
                _float_label(labels["le"], "le")
            if value < 0 and part in ("_count", "_bucket"):
                what = "count" if part == "_count" else "bucket population"
                raise Fault(f"negative {what} for histogram {family!r}")

    def _owner(self, name: str) -> tuple[str, str]:
        """The family that a sample of this name belongs to, and the suffix it has there."""
        for suffix in ("_count", "_sum", "_bucket"):
            base = name.removesuffix(suffix)
            if base != name and base in self.families:
                kind = self.families[base].type
                histogram = kind in ("histogram", "gaugehistogram")
                if histogram or (kind == "summary" and suffix != "_bucket"):
                    return base, suffix
        return name, ""

    def _explain(self, line: bytes) -> Fault:
        """Why a line is not a sample; the slow way, once."""
        raw = _series_of(line)
        try:
            parse_series(raw, self.dialect)
        except Fault as fault:
            return fault
        rest = list(filter(None, _BLANKS.split(line[len(raw) :])))
        if not rest:
            return Fault("expected a float as value, found the end of the line")
        try:
            float(rest[0])
        except ValueError:
            return Fault(f"expected a float as value, found {_text(rest[0])!r}")
        if len(rest) > 2:
            return Fault(f"spurious {_text(rest[2])!r} after the timestamp")
        if len(rest) == 2:
            return Fault(f"expected an integer as timestamp, found {_text(rest[1])!r}")
        return Fault(f"expected a float as value, found {_text(line[len(raw) :])!r}")


_BLOCK_START = re.compile(rb"((?:" + METRIC + rb")?[ \t]*)(\{?)")
_BLOCK = re.compile(BLOCK)
_BLANKS = re.compile(rb"[ \t]+")


def _series_of(line: bytes) -> bytes:
    """The part of a line that should be a series, right or wrong."""
    found = _BLOCK_START.match(line)
    if found and found.group(2):
        block = _BLOCK.match(line, found.start(2))
        return line[: block.end()] if block else line
    return _BLANKS.split(line, maxsplit=1)[0]


def _float_label(text: str, name: str) -> None:
    try:
        if "_" in text:
            raise ValueError
        float(text)
    except ValueError:
        raise Fault(f"expected a float as value for {name!r} label, found {text!r}") from None


def _text(part: bytes) -> str:
    return part.decode(errors="replace")


def clamped(ms: int) -> int:
    """Milliseconds that fit an int64; what lies beyond is absurd, not malformed."""
    return min(max(ms, -(2**63)), 2**63 - 1)
