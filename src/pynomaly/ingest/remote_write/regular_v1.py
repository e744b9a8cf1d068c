"""Reads regular remote write 1.0 bodies in bulk, with NumPy instead of object by object.

On the wire a time series is ``0a <length> <labels> <samples>``, and a sample of our century is 18
bytes, ``12 10 09 <value: 8> 10 <timestamp: 6>``, or 9 when the value is zero and therefore left
out, ``12 07 10 <timestamp: 6>``. What looks like a sample is found everywhere at once, and the
guess is verified: the lengths in the headers must chain from the first byte to the last, and what
stands before the samples of a series must be labels and nothing else (the reader of labels checks
that). Protocol buffers can be read in one way only, so a division that fits everywhere is the
right one; whatever does not fit is left to the decoder that knows the whole schema.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.samples import TimeArray, ValueArray

PADDING = 32
"""Zero bytes that must follow the body, so that a read at its end stays inside."""

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]

_SAMPLE_WITH_VALUE, _SAMPLE_OF_ZERO = 18, 9
_TAG_SERIES, _TAG_SAMPLE = 0x0A, 0x12
_MASK_24 = np.uint32(0xFF_FF_FF)
_START_WITH_VALUE = np.uint32(0x09_10_12)
_START_OF_ZERO = np.uint32(0x10_07_12)
_TAG_TIMESTAMP = 0x10
_CONTINUATION_BITS = np.uint64(0x8080_8080_8080)
_SIX_BYTES_LONG = np.uint64(0x0080_8080_8080)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A regular body. Series ``i`` has the bytes ``labels[i]`` and ``counts[i]`` of the samples."""

    labels: list[bytes]
    counts: Positions
    ts: TimeArray
    values: ValueArray


def regular_columns(padded: Bytes) -> Columns | None:
    """Divide a body (followed by ``PADDING`` zero bytes) into columns, or None if irregular."""
    size = len(padded) - PADDING
    starts, lengths = _candidates(padded, size)
    if not len(starts):
        return None
    ends = starts + lengths
    gaps = starts[1:] - ends[:-1]
    if (gaps < 0).any() or ends[-1] != size:
        return None
    first = np.concatenate(([0], np.flatnonzero(gaps) + 1))
    last = np.append(first[1:], len(starts)) - 1
    series_ends = ends[last]
    headers = np.concatenate(([0], series_ends[:-1]))
    begins, fits = _after_headers(padded, headers, series_ends)
    if not fits or (begins > starts[first]).any():
        return None
    return Columns(
        labels=_slices(padded[:size].tobytes(), begins, starts[first]),
        counts=last - first + 1,
        ts=_timestamps(padded, ends),
        values=_values(padded, starts, lengths),
    )


def set_aside(padded: Bytes) -> tuple[Bytes, list[bytes]] | None:
    """Divide a body into the series that end with a sample, as a body of their own, and the bytes
    of the others; None if there are not both, or anything but series.

    A Prometheus that sends exemplars has each in a series of its own among those with samples.
    """
    size = len(padded) - PADDING
    body = padded[:size].tobytes()
    starts, lengths = _candidates(padded, size)
    ends = set((starts + lengths).tolist())
    kept, others, at = [], [], 0
    while at < size:
        begin, end = _extent(body, at)
        if body[at] != _TAG_SERIES or end > size:
            return None
        if end in ends:
            kept.append(body[at:end])
        else:
            others.append(body[begin:end])
        at = end
    if not kept or not others:
        return None
    return np.frombuffer(b"".join([*kept, bytes(PADDING)]), np.uint8), others


def _extent(body: bytes, at: int) -> tuple[int, int]:
    """Where a field that starts with a tag of one byte and a length has its content."""
    begin, shift, length = at + 1, 0, 0
    while begin < len(body):
        byte = body[begin]
        length |= (byte & 0x7F) << shift
        begin, shift = begin + 1, shift + 7
        if byte < 0x80:
            return begin, begin + length
    return begin, begin + 1  # cut off: beyond the end


def _at_every_byte(padded: Bytes, dtype: str) -> NDArray[Any]:
    """The buffer as numbers that begin at every byte; no copy is made."""
    count = len(padded) - np.dtype(dtype).itemsize + 1
    return np.ndarray((count,), dtype, buffer=padded.data, strides=(1,))


def _candidates(padded: Bytes, size: int) -> tuple[Positions, Positions]:
    """Where something looks like a sample, and how long it is."""
    starts = np.flatnonzero(padded[:size] == _TAG_SAMPLE)
    heads = _at_every_byte(padded, "<u4")[starts] & _MASK_24
    of_zero = heads == _START_OF_ZERO
    seen = (heads == _START_WITH_VALUE) | of_zero
    starts, of_zero = starts[seen], of_zero[seen]
    lengths = np.where(of_zero, _SAMPLE_OF_ZERO, _SAMPLE_WITH_VALUE)
    tails = starts + lengths - 7
    inside = tails + 7 <= size
    starts, lengths, tails = starts[inside], lengths[inside], tails[inside]
    stamps = _at_every_byte(padded, "<u8")[tails + 1]
    good = padded[tails] == _TAG_TIMESTAMP
    good &= (stamps & _CONTINUATION_BITS) == _SIX_BYTES_LONG
    return starts[good], lengths[good]


def _after_headers(
    padded: Bytes, headers: Positions, series_ends: Positions
) -> tuple[Positions, bool]:
    """Where the series begin behind tag and length, and whether the lengths chain.

    Lengths of up to three bytes (2 MiB) are read; nobody sends a longer series.
    """
    b1, b2, b3 = (padded[headers + i].astype(np.int64) for i in (1, 2, 3))
    two, three = b1 >= 0x80, (b1 >= 0x80) & (b2 >= 0x80)
    declared = (b1 & 0x7F) + np.where(two, (b2 & 0x7F) << 7, 0) + np.where(three, b3 << 14, 0)
    begins = headers + 2 + two + three
    fits = (
        (padded[headers] == _TAG_SERIES).all()
        and not (three & (b3 >= 0x80)).any()
        and (begins + declared == series_ends).all()
    )
    return begins, bool(fits)


def _slices(body: bytes, begins: Positions, ends: Positions) -> list[bytes]:
    return list(map(body.__getitem__, map(slice, begins.tolist(), ends.tolist())))


def _timestamps(padded: Bytes, ends: Positions) -> TimeArray:
    """The varints of six bytes before ``ends``: 42 bits, seven from each byte."""
    raw = _at_every_byte(padded, "<u8")[ends - 6]
    value = raw & np.uint64(0x7F)
    for i in range(1, 6):
        value |= (raw >> np.uint64(i)) & np.uint64(0x7F << (7 * i))
    return value.view(np.int64)


def _values(padded: Bytes, starts: Positions, lengths: Positions) -> ValueArray:
    # As integers, since a load into a float register may change the bits of a signalling NaN.
    bits = _at_every_byte(padded, "<u8")[starts + 3]
    bits[lengths == _SAMPLE_OF_ZERO] = 0
    return bits.view(np.float64)
