"""Samples as JSON: one object, a list of them, or one object a line."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from pynomaly.ingest.moment import NotAMoment, from_iso, from_number
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import SampleBatch

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FIELDS = ("metric_name", "value", "timestamp", "labels")
_SPECIAL = {
    "NaN": math.nan,
    "Inf": math.inf,
    "+Inf": math.inf,
    "-Inf": -math.inf,
    "Infinity": math.inf,
    "+Infinity": math.inf,
    "-Infinity": -math.inf,
}
_SHOWN_FAULTS = 10
_LONGEST_SHOWN = 80


class JsonFault(BadInput):
    """A body that is not what this door takes; nothing of it was stored."""


def parse_samples(body: bytes, now_ms: int, *, lines: bool = False) -> SampleBatch:
    """Read a body. ``lines`` says that it is NDJSON; otherwise that is noticed by itself.

    A timestamp is ISO 8601 with ``Z`` or an offset, or a number since the epoch: below 1e11
    (the year 5138) in seconds, otherwise in milliseconds; ``now_ms`` where there is none.

    Raises:
        JsonFault: says of the first few faults which object or line, which field, and what.
    """
    faults: list[str] = []
    rows: list[tuple[Labels, int, float]] = []
    for place, entry in _entries(body, lines):
        try:
            rows.append(_row(entry, now_ms))
        except JsonFault as fault:
            faults.append(f"{place}: {fault.message}" if place else fault.message)
            if len(faults) == _SHOWN_FAULTS:
                break
    if faults:
        raise JsonFault("; ".join(faults))
    return SampleBatch.of(rows)


def _entries(body: bytes, lines: bool) -> Iterable[tuple[str, Any]]:
    """Each object with the words that say where it is."""
    if lines:
        return _from_lines(body)
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if _looks_like_lines(body):
            return _from_lines(body)
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonFault(f"not JSON ({where}): {error.msg}") from error
    if isinstance(whole, list):
        return ((f"samples[{i}]", entry) for i, entry in enumerate(whole))
    return [("", whole)]


def _looks_like_lines(body: bytes) -> bool:
    first, _, rest = body.strip().partition(b"\n")
    return bool(rest) and first.startswith(b"{") and first.rstrip().endswith(b"}")


def _from_lines(body: bytes) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise JsonFault(
                f"line {number}, column {error.colno}: not JSON: {error.msg}"
            ) from error


def _row(entry: Any, now_ms: int) -> tuple[Labels, int, float]:
    if not isinstance(entry, dict):
        raise JsonFault(f"expected an object, found {_shown(entry)}")
    for key in entry:
        if key not in _FIELDS:
            raise JsonFault(f"unknown field {key!r}; known are {', '.join(_FIELDS)}")
    name = _name(entry)
    labels = _labels(entry.get("labels"))
    value = _value(entry)
    at = _milliseconds(entry["timestamp"]) if entry.get("timestamp") is not None else now_ms
    return Labels({**labels, METRIC_NAME: name}), at, value


def _name(entry: Mapping[str, Any]) -> str:
    if "metric_name" not in entry:
        raise JsonFault("metric_name: is missing")
    name = entry["metric_name"]
    if isinstance(name, str) and _METRIC_NAME.fullmatch(name):
        return name
    raise JsonFault(
        "metric_name: expected letters, digits, '_' and ':', not a digit first, "
        f"found {_shown(name)}"
    )


def _labels(labels: Any) -> Mapping[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, dict):
        raise JsonFault(f"labels: expected an object of strings, found {_shown(labels)}")
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name):
            raise JsonFault(
                f"labels: expected letters, digits and '_' as a name, not a digit first, "
                f"found {_shown(name)}"
            )
        if name == METRIC_NAME:
            raise JsonFault(f"labels: {METRIC_NAME} is said by metric_name")
        if not isinstance(value, str):
            raise JsonFault(f"labels.{name}: expected a string, found {_shown(value)}")
    return labels


def _value(entry: Mapping[str, Any]) -> float:
    if "value" not in entry:
        raise JsonFault("value: is missing")
    value = entry["value"]
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JsonFault(f'value: expected a number, "NaN", "+Inf" or "-Inf", found {_shown(value)}')
    return float(value)


def _milliseconds(timestamp: Any) -> int:
    if isinstance(timestamp, bool) or not isinstance(timestamp, str | int | float):
        raise JsonFault(f"timestamp: expected ISO 8601 or a number, found {_shown(timestamp)}")
    try:
        return from_iso(timestamp) if isinstance(timestamp, str) else from_number(timestamp)
    except NotAMoment as error:
        raise JsonFault(f"timestamp: {error}") from None


def _shown(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
