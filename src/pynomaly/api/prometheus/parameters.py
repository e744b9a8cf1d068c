"""The parameters of Prometheus's HTTP API, read as Prometheus 3 reads them (web/api/v1/api.go)."""

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from fastapi import Request

from pynomaly.model.duration import parse_duration
from pynomaly.model.errors import BadInput

MIN_TIME_MS = -(2**62)
MAX_TIME_MS = 2**62
"""The ends of time: what ``start`` and ``end`` are when they are left out."""

_FORM = "application/x-www-form-urlencoded"
_LARGEST_FORM = 10 << 20  # bytes, as Go's ParseForm
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_NS = 2**63 - 1
_ESCAPED = re.compile(r"_(?:_|([0-9a-fA-F]{1,5})_)|_")


class PayloadTooLarge(BadInput):
    """A form that no client of this API has reason to send."""

    status = 413


class InvalidParameter(BadInput):
    """A parameter that is missing or cannot be understood."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"invalid parameter {_quoted(name)}: {fault}")


class Form:
    """What a request asks: its form body before its query string, as Go's ``FormValue``."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    @classmethod
    async def of(cls, request: Request) -> "Form":
        """Read the body of a POST or PUT, and the query string."""
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method not in ("POST", "PUT") or content_type != _FORM:
            return cls(pairs)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_FORM:
                raise PayloadTooLarge(f"the form is larger than {_LARGEST_FORM} bytes")
        return cls(parse_qsl(body.decode(errors="replace"), keep_blank_values=True) + pairs)

    def get(self, name: str) -> str:
        """The first value, or the empty string."""
        return next((value for key, value in self._pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value, in order."""
        return [value for key, value in self._pairs if key == name]

    def time(self, name: str) -> int:
        """Milliseconds; raises ``InvalidParameter`` when it is missing."""
        return _named(name, parse_time, self.get(name))

    def time_or(self, name: str, default: int) -> int:
        """Milliseconds, or the default when it is missing or empty."""
        text = self.get(name)
        if not text:
            return default
        try:
            return parse_time(text)
        except ValueError as error:
            raise InvalidParameter(name, f"invalid time value for '{name}': {error}") from error

    def duration_ns(self, name: str) -> int:
        """Nanoseconds; raises ``InvalidParameter`` when it is missing."""
        return _named(name, parse_duration_ns, self.get(name))

    def timeout(self, longest: float) -> float:
        """Seconds: what the client allows, at most what the server does."""
        if not self.get("timeout"):
            return longest
        return min(longest, max(0.0, self.duration_ns("timeout") / 1e9))

    def limit(self) -> int:
        """How many results to return; 0 means all."""
        text = self.get("limit")
        if not text:
            return 0
        limit = _named("limit", _parse_integer, text)
        if limit < 0:
            raise InvalidParameter("limit", "limit must be non-negative")
        return limit

    def count(self, name: str) -> int:
        """A count as ``/metadata`` takes it: -1 means all."""
        text = self.get(name)
        if not text:
            return -1
        try:
            return _parse_integer(text)
        except ValueError as error:
            raise BadInput(f"{name} must be a number") from error


def parse_time(text: str) -> int:
    """Milliseconds of a time in seconds (``1700000000.5``) or RFC 3339.

    Raises:
        ValueError: neither.
    """
    if _FLOAT.fullmatch(text) and math.isfinite(seconds := float(text)):
        return _clamped(seconds)
    if found := _RFC3339.fullmatch(text):
        day_and_time, fraction, zone = found.groups()
        try:
            whole = datetime.fromisoformat(day_and_time + zone)
        except ValueError:
            pass  # such as the 31st of June
        else:
            return int(whole.timestamp()) * 1000 + int(((fraction or "") + "000")[:3])
    raise ValueError(f"cannot parse {_quoted(text)} to a valid timestamp")


def _clamped(seconds: float) -> int:
    whole = math.floor(seconds)
    ms = whole * 1000 + round((seconds - whole) * 1000)
    return min(max(ms, MIN_TIME_MS), MAX_TIME_MS)


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of a duration in seconds (``0.5``) or Prometheus's units (``1m30s``).

    Raises:
        ValueError: neither, or too long.
    """
    if _FLOAT.fullmatch(text):
        seconds = float(text)
        if abs(seconds * 1e9) > _LONGEST_NS:
            raise ValueError(
                f"cannot parse {_quoted(text)} to a valid duration. It overflows int64"
            )
        return int(seconds * 1e9)
    try:
        ns = round(parse_duration(text) * 1000) * 1_000_000
    except ValueError as error:
        raise ValueError(f"cannot parse {_quoted(text)} to a valid duration") from error
    if ns > _LONGEST_NS:
        raise ValueError(f"cannot parse {_quoted(text)} to a valid duration")
    return ns


def unescape_label_name(name: str) -> str:
    """The UTF-8 name behind ``U__http_2e_method``; any other name is returned as it is.

    The scheme is Prometheus's "value encoding" (prometheus/common, model.UnescapeName).
    """
    if not name.startswith("U__"):
        return name
    try:
        return _ESCAPED.sub(_unescape, name[3:])
    except ValueError:
        return name


def _unescape(found: re.Match[str]) -> str:
    if found[0] == "__":
        return "_"
    if found[1] is None:
        raise ValueError("an underscore that begins no escape")
    code = int(found[1], 16)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError("a surrogate is no character")
    return chr(code)


def _named(name: str, parse: Callable[[str], int], text: str) -> int:
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidParameter(name, str(error)) from error


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"strconv.Atoi: parsing {_quoted(text)}: invalid syntax")
    if not -(2**63) <= (number := int(text)) < 2**63:
        raise ValueError(f"strconv.Atoi: parsing {_quoted(text)}: value out of range")
    return number


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
