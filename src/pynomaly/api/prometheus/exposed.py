"""The text format as Prometheus's federation writes it: untyped, with times, names escaped.

What ``prometheus/common/expfmt`` does in Go, for samples without a type.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from pynomaly.gotemplate.numerals import format_float
from pynomaly.model.labels import METRIC_NAME, Labels, quoted

_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_TEXT = frozenset({"", "0.0.4"})


class Escaping(StrEnum):
    """What becomes of names that are not plain (prometheus/common, model.EscapingScheme)."""

    ALLOW_UTF_8 = "allow-utf-8"
    UNDERSCORES = "underscores"
    DOTS = "dots"
    VALUES = "values"


@dataclass(frozen=True, slots=True)
class Exposed:
    """A sample to show; ``timestamp`` in milliseconds."""

    labels: Labels
    timestamp: int
    value: float


def negotiated(accept: str) -> Escaping:
    """The escaping that a scraper's ``Accept`` asks for; the format is always text 0.0.4."""
    escaping = Escaping.UNDERSCORES
    for kind, parameters in _offers(accept):
        asked = parameters.get("escaping", "")
        if asked in set(Escaping):
            escaping = Escaping(asked)
        if kind == "text/plain" and parameters.get("version", "") in _TEXT:
            break
    return escaping


def content_type(escaping: Escaping) -> str:
    """The header that goes with ``exposition``."""
    return f"text/plain; version=0.0.4; charset=utf-8; escaping={escaping}"


def exposition(
    samples: Sequence[Exposed], external_labels: Mapping[str, str], escaping: Escaping
) -> bytes:
    """Samples by name, and by labels within a name; those without a name are left out.

    A sample gets the external labels that it does not have. Without an ``instance`` it gets an
    empty one, so that whoever scrapes this puts none of their own.
    """
    write = _escaper(escaping)

    @cache
    def key(name: str) -> str:
        return f'{_name(write(name))}="'

    added = sorted({"instance": "", **external_labels}.items())
    texts = {name: f'{key(name)}{_escaped_value(value)}"' for name, value in added}
    lines: list[str] = []
    last = begin = ""
    for sample in sorted(samples, key=lambda each: (each.labels.name, each.labels.pairs)):
        name = sample.labels.name
        if not name:
            continue
        if name != last:
            lines.append(f"# TYPE {_name(write(name))} untyped\n")
            begin, last = _begin(write(name)), name
        pairs = dict(sample.labels.pairs)
        inner = [f'{key(n)}{_escaped_value(v)}"' for n, v in pairs.items() if n != METRIC_NAME]
        inner += [text for label, text in texts.items() if label not in pairs]
        lines.append(f"{begin}{','.join(inner)}}} {_number(sample.value)} {sample.timestamp}\n")
    return "".join(lines).encode()


def _offers(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The types of an Accept header with their parameters, those with the most weight first."""
    offers = []
    for offer in accept.split(","):
        kind, *rest = (part.strip() for part in offer.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        offers.append((kind.lower(), parameters))
    yield from sorted(offers, key=lambda offer: -_weight(offer[1].get("q", "1")))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _begin(name: str) -> str:
    return f"{name}{{" if _PLAIN.fullmatch(name) else f"{{{quoted(name)},"


def _escaped_value(value: str) -> str:
    return value if value.isalnum() else quoted(value)[1:-1]


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else quoted(name)


def _number(value: float) -> str:
    if 1e-4 <= abs(value) < 1e6:  # the same in Python's words, and sooner
        return repr(value).removesuffix(".0")
    return "0" if value == 0 else format_float(value)


def _escaper(escaping: Escaping) -> Callable[[str], str]:
    """The same name comes again and again: each is escaped once."""

    @cache
    def escape(name: str) -> str:
        if escaping is Escaping.ALLOW_UTF_8 or _PLAIN.fullmatch(name):
            return name
        escaped = "".join(_escaped(c, escaping, first=i == 0) for i, c in enumerate(name))
        return f"U__{escaped}" if escaping is Escaping.VALUES else escaped

    return escape


def _escaped(character: str, escaping: Escaping, *, first: bool) -> str:
    plain = bool(_PLAIN.fullmatch(character if first else f"_{character}"))
    if escaping is Escaping.UNDERSCORES:
        return character if plain else "_"
    if character == "_":
        return "__"
    if escaping is Escaping.DOTS and character == ".":
        return "_dot_"
    if plain:
        return character
    return "__" if escaping is Escaping.DOTS else f"_{ord(character):x}_"
