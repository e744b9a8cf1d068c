"""Prometheus's JSON answers, written column by column: a point costs no Python object of its own.

Blocking and proportional to the answer: call it from worker threads.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, SeriesSamples, TimeArray
from pynomaly.promql.contract import Matrix, QueryResult, Scalar, String

_POINTS_AT_ONCE = 1 << 18  # bounds the memory of texts in flight to some 20 MB
_MOST_NOTES = 10  # Prometheus shows as many warnings, and as many infos
_SMALLEST_COMPRESSED = 10_000  # bytes; a smaller answer is sent faster as it is
_COMPRESSION = 1  # the levels above take 2 to 5 times as long for a tenth less

TRUNCATED = "results truncated due to limit"


def format_value(value: float) -> str:
    """A sample's value in Prometheus's words: shortest, without exponent from 1e-6 to 1e21.

    >>> format_value(1e6), format_value(float("inf")), format_value(1e-7)
    ('1000000', '+Inf', '1e-07')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    size = abs(value)
    if size and (size < 1e-6 or size >= 1e21):
        return repr(float(value))
    return np.format_float_positional(value, trim="-")


def format_values(values: NDArray[np.float64]) -> list[bytes]:
    """``format_value`` of each of float64 ``[n]``, about 0.1 µs apiece."""
    if not len(values):
        return []
    size = np.abs(values)
    texts = _shortest(values, exponents=bool(np.any((size < 1e-6) & (size > 0))))
    # orjson writes these with an exponent, or (infinities) not at all.
    unlike = np.flatnonzero((size >= 1e16) | ((size < 1e-5) & (size >= 1e-6)))
    distinct, which = np.unique(values[unlike], return_inverse=True)
    words = [format_value(v).encode() for v in distinct.tolist()]
    for place, word in zip(unlike.tolist(), which.tolist(), strict=True):
        texts[place] = words[word]
    return texts


def _shortest(values: NDArray[np.float64], *, exponents: bool) -> list[bytes]:
    raw = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    raw = (raw[1:-1] + b",").replace(b".0,", b",").replace(b"null", b"NaN")
    if exponents:  # Go writes two digits at least
        for digit in b"7", b"8", b"9":
            raw = raw.replace(b"e-" + digit + b",", b"e-0" + digit + b",")
    return raw[:-1].split(b",")


def format_timestamp(ms: int) -> str:
    """Milliseconds as seconds: at most three decimals, no superfluous ones.

    >>> format_timestamp(1700000000123), format_timestamp(1700000000000), format_timestamp(-50)
    ('1700000000.123', '1700000000', '-0.050')
    """
    sign = "-" if ms < 0 else ""
    seconds, rest = divmod(abs(ms), 1000)
    return f"{sign}{seconds}.{rest:03}" if rest else f"{sign}{seconds}"


def encode_result(result: QueryResult, *, instant: bool, limit: int = 0) -> bytes:
    """The whole answer to ``query`` (``instant``) or ``query_range``.

    ``limit`` above 0 keeps that many series and adds a warning if there were more.
    """
    kind, items, truncated = _value(result.value, instant=instant, limit=limit)
    warnings = [*result.warnings, TRUNCATED] if truncated else result.warnings
    data = b'{"resultType":"%b","result":%b}' % (kind, items)
    return _envelope(data, warnings, result.infos)


def encode_data(data: Any, warnings: Sequence[str] = ()) -> bytes:
    """A successful answer around any JSON value; ``Labels`` are written as objects."""
    return _envelope(orjson.dumps(data, default=_labels_as_dict), warnings, ())


def compressed(body: bytes, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """The body, gzipped if it is large and the client takes that, and the headers to send."""
    headers = {"vary": "Accept-Encoding"}
    if len(body) < _SMALLEST_COMPRESSED or not _takes_gzip(accept_encoding):
        return body, headers
    headers["content-encoding"] = "gzip"
    return zlib.compress(body, _COMPRESSION, zlib.MAX_WBITS | 16), headers


def _takes_gzip(accept_encoding: str) -> bool:
    for offer in accept_encoding.lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _labels_as_dict(value: object) -> dict[str, str]:
    if isinstance(value, Labels):
        return dict(value.pairs)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _envelope(data: bytes, warnings: Sequence[str], infos: Sequence[str]) -> bytes:
    parts = [b'{"status":"success","data":', data]
    for key, notes in ((b"warnings", warnings), (b"infos", infos)):
        if notes:
            shown = list(notes[:_MOST_NOTES])
            if more := len(notes) - len(shown):
                shown.append(f"{more} more {key.decode()[:-1]} annotations omitted")
            parts += [b',"', key, b'":', orjson.dumps(shown)]
    parts.append(b"}")
    return b"".join(parts)


def _value(
    value: Matrix | Scalar | String | SeriesSamples, *, instant: bool, limit: int
) -> tuple[bytes, bytes, bool]:
    match value:
        case String():
            point = b"[%b,%b]" % (_time(value.timestamp), orjson.dumps(value.value))
            return b"string", point, False
        case Scalar() if instant:
            return b"scalar", _point(value.timestamps[0], format_value(value.values[0])), False
        case Scalar():
            return b"matrix", _list(_series(_scalar_as_matrix(value))), False
        case SeriesSamples():
            kept, truncated = _cut(np.arange(len(value)), limit)
            return b"matrix", _list(_raw_series(value, kept)), truncated
        case Matrix():
            kept, truncated = _cut(np.flatnonzero(value.present.any(axis=1)), limit)
            encode = _samples if instant else _series
            return b"vector" if instant else b"matrix", _list(encode(value, kept)), truncated


def _cut(rows: NDArray[np.int64], limit: int) -> tuple[NDArray[np.int64], bool]:
    return (rows[:limit], True) if 0 < limit < len(rows) else (rows, False)


def _list(items: Iterator[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _time(ms: int) -> bytes:
    return format_timestamp(int(ms)).encode()


def _point(ms: int, text: str) -> bytes:
    return b'[%b,"%b"]' % (_time(ms), text.encode())


def _metric(labels: Labels) -> bytes:
    return orjson.dumps(dict(labels.pairs))


def _scalar_as_matrix(scalar: Scalar) -> Matrix:
    values = scalar.values[np.newaxis, :]
    return Matrix([Labels()], scalar.timestamps, values, np.ones(values.shape, dtype=np.bool_))


def _samples(matrix: Matrix, rows: NDArray[np.int64]) -> Iterator[bytes]:
    texts = format_values(matrix.values[rows, 0])
    if not texts:
        return
    at = _time(matrix.timestamps[0])
    for row, text in zip(rows.tolist(), texts, strict=True):
        yield b'{"metric":%b,"value":[%b,"%b"]}' % (_metric(matrix.labels[row]), at, text)


def _series(matrix: Matrix, rows: NDArray[np.int64] | None = None) -> Iterator[bytes]:
    rows = np.arange(len(matrix)) if rows is None else rows
    template = _row_templates(matrix.timestamps)
    at_once = max(1, _POINTS_AT_ONCE // max(1, len(matrix.timestamps)))
    for first in range(0, len(rows), at_once):
        block = rows[first : first + at_once]
        present = matrix.present[block]
        texts = format_values(matrix.values[block][present])
        ends = np.cumsum(present.sum(axis=1)).tolist()
        begin = 0
        for i, end in enumerate(ends):
            points = template(present[i].tobytes()) % tuple(texts[begin:end])
            yield b'{"metric":%b,"values":[%b]}' % (_metric(matrix.labels[block[i]]), points)
            begin = end


def _row_templates(timestamps: TimeArray) -> Callable[[bytes], bytes]:
    """From a row of ``present`` to its points with ``%b`` for the values: most rows share one."""
    cells = [b'[%b,"%%b"]' % _time(ms) for ms in timestamps.tolist()]

    @lru_cache(maxsize=128)
    def template(present: bytes) -> bytes:
        here: BoolArray = np.frombuffer(present, dtype=np.bool_)
        return b",".join(cells if here.all() else [cells[i] for i in np.flatnonzero(here)])

    return template


def _raw_series(samples: SeriesSamples, rows: NDArray[np.int64]) -> Iterator[bytes]:
    for row in rows.tolist():
        part = slice(samples.offsets[row], samples.offsets[row + 1])
        texts = format_values(samples.values[part])
        times = map(_time, samples.ts[part].tolist())
        points = b",".join(b'[%b,"%b"]' % p for p in zip(times, texts, strict=True))
        yield b'{"metric":%b,"values":[%b]}' % (_metric(samples.labels[row]), points)
