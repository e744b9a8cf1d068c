"""Prometheus's template functions (its template/template.go)."""

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import ClassVar
from urllib.parse import urlsplit

from pynomaly.gotemplate import text
from pynomaly.gotemplate.builtins import query_escaped
from pynomaly.gotemplate.errors import FunctionError
from pynomaly.gotemplate.functions import functions
from pynomaly.gotemplate.html import SafeHtml
from pynomaly.gotemplate.literals import quoted
from pynomaly.gotemplate.numerals import format_float
from pynomaly.gotemplate.printf import sprintf
from pynomaly.gotemplate.times import SECOND, Duration, Time, moment
from pynomaly.gotemplate.types import GoType, Kind, StringMap
from pynomaly.model.duration import parse_duration as duration_seconds

_MORE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_MORE_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query, as templates see it."""

    labels: StringMap
    value: object

    go_type: ClassVar[GoType] = GoType(
        "*template.sample",
        Kind.STRUCT,
        fields={"Labels": attrgetter("labels"), "Value": attrgetter("value")},
    )


class Samples(list[Sample]):
    """The answer to a query."""

    go_type: ClassVar[GoType] = GoType("template.queryResult", Kind.SLICE, Sample.go_type)


class Unanswered(Exception):
    """A template asks a query whose answer is not there yet."""

    def __init__(self, expr: str) -> None:
        super().__init__(expr)
        self.expr = expr


@dataclass(slots=True)
class Expansion:
    """The context of an expansion: when, where the product is reached, and what is known.

    ``now`` is epoch seconds. ``answers`` are those to the queries that templates ask, or why
    there is none; a query that is not there raises Unanswered.
    """

    now: float
    external_url: str = ""
    answers: Mapping[str, Sequence[Sample] | str] = field(default_factory=dict)


def query(context: Expansion, expr: str) -> Samples:
    """The series that an expression gives at the time of the evaluation."""
    if expr not in context.answers:
        raise Unanswered(expr)
    answer = context.answers[expr]
    if isinstance(answer, str):
        raise FunctionError(answer)
    return Samples(answer)


def first(samples: Samples) -> Sample:
    """The first series."""
    if not samples:
        raise FunctionError("first() called on vector with no elements")
    return samples[0]


def label(name: str, sample: Sample) -> str:
    """A label of a series."""
    return sample.labels.get(name, "")


def value(sample: Sample) -> object:
    """The value of a series."""
    return sample.value


def strvalue(sample: Sample) -> str:
    """The label ``__value__``."""
    return sample.labels.get("__value__", "")


def sort_by_label(name: str, samples: Samples) -> Samples:
    """By the value of a label."""
    return Samples(sorted(samples or (), key=lambda sample: sample.labels.get(name, "")))


def args(*values: object) -> dict[str, object]:
    """``arg0``, ``arg1``, …, to pass several values to a template."""
    return {f"arg{index}": given for index, given in enumerate(values)}


def safe_html(given: str) -> SafeHtml:
    """Text that is not escaped in HTML."""
    return SafeHtml(given)


def graph_link(expr: str) -> str:
    """Where the graph of an expression is."""
    return f"/graph?g0.expr={query_escaped(expr)}&g0.tab=0"


def table_link(expr: str) -> str:
    """Where the table of an expression is."""
    return f"/graph?g0.expr={query_escaped(expr)}&g0.tab=1"


def strip_port(address: str) -> str:
    """The host of ``host:port``."""
    split = split_host_port(address)
    return split[0] if split else address


def strip_domain(address: str) -> str:
    """The host's name without its domain; the port stays, an IP address stays as it is."""
    split = split_host_port(address)
    host, port = split or (address, "")
    if _is_ip(host):
        return address
    host = host.split(".")[0]
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(address: str) -> tuple[str, str] | None:
    """Host and port of ``host:port`` or ``[host]:port`` as Go's net splits them; None if neither.

    >>> split_host_port("[::1]:80"), split_host_port("::1")
    (('::1', '80'), None)
    """
    host, colon, port = address.rpartition(":")
    if not colon:
        return None
    if address.startswith("["):
        if not host.endswith("]") or "]" in host[:-1]:
            return None
        host = host[1:-1]
        return None if "[" in host or "]" in port else (host, port)
    return None if set(":[]") & set(host) or set("[]") & set(port) else (host, port)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def humanize(given: object) -> str:
    """A number with a metric prefix and four digits."""
    number = text.to_float(given)
    if number == 0 or not math.isfinite(number):
        return sprintf("%.4g", number)
    return text.below_one(number) if abs(number) < 1 else _prefixed(number, 1000, _MORE)


def humanize1024(given: object) -> str:
    """A number with a binary prefix and four digits."""
    number = text.to_float(given)
    if abs(number) <= 1 or not math.isfinite(number):
        return sprintf("%.4g", number)
    return _prefixed(number, 1024, _MORE_BINARY)


def _prefixed(number: float, base: int, prefixes: Sequence[str]) -> str:
    prefix = ""
    for greater in prefixes:
        if abs(number) < base:
            break
        prefix, number = greater, number / base
    return sprintf("%.4g", number) + prefix


def humanize_percentage(given: object) -> str:
    """A ratio as a percentage with four digits."""
    return sprintf("%.4g", text.to_float(given) * 100) + "%"


def humanize_timestamp(given: object) -> str:
    """Seconds since 1970 as a date and time in UTC."""
    seconds = text.to_float(given)
    return str(to_time(seconds)) if math.isfinite(seconds) else sprintf("%.4g", seconds)


def to_time(given: object) -> Time:
    """The time of seconds since 1970."""
    seconds = text.to_float(given)
    if not math.isfinite(seconds):
        raise FunctionError("value is NaN or Inf")
    if abs(seconds * 1e9) > 2**63 - 1:
        raise FunctionError(
            f"{format_float(seconds)} cannot be represented as a nanoseconds timestamp "
            "since it overflows int64"
        )
    return moment(seconds)


def to_duration(given: object) -> Duration:
    """The duration of seconds."""
    nanoseconds = text.to_float(given) * SECOND
    if not abs(nanoseconds) < 2**63:
        return Duration(-(2**63))  # what Go's conversion gives
    return Duration(int(nanoseconds))


def parse_duration(given: str) -> float:
    """Seconds of a duration such as ``1h30m``, which may be negative."""
    if not given:
        raise FunctionError("empty duration string")
    try:
        seconds = duration_seconds(given.removeprefix("-"))
    except ValueError as error:
        raise FunctionError(f"not a valid duration string: {quoted(given)}") from error
    return -seconds if given.startswith("-") else seconds


def now(context: Expansion) -> float:
    """The time of the evaluation, in seconds since 1970."""
    return context.now


def path_prefix(context: Expansion) -> str:
    """The path of the external URL."""
    return urlsplit(context.external_url).path


def external_url(context: Expansion) -> str:
    """Where the product is reached from outside."""
    return context.external_url


FUNCTIONS = functions(
    query=query,
    first=first,
    label=label,
    value=value,
    strvalue=strvalue,
    args=args,
    reReplaceAll=text.replace_all,
    safeHtml=safe_html,
    match=text.matches,
    title=text.title,
    toUpper=text.upper,
    toLower=text.lower,
    graphLink=graph_link,
    tableLink=table_link,
    sortByLabel=sort_by_label,
    stripPort=strip_port,
    stripDomain=strip_domain,
    humanize=humanize,
    humanize1024=humanize1024,
    humanizeDuration=text.humanize_duration,
    humanizePercentage=humanize_percentage,
    humanizeTimestamp=humanize_timestamp,
    toTime=to_time,
    toDuration=to_duration,
    now=now,
    pathPrefix=path_prefix,
    externalURL=external_url,
    parseDuration=parse_duration,
    urlQueryEscape=query_escaped,
)
