"""Prometheus's XOR chunks, written for all samples at once.

The format is Gorilla's (Pelkonen et al., VLDB 2015) as Prometheus has it (prometheus/prometheus,
tsdb/chunkenc/xor.go): two bytes with the number of samples; the first time as a varint and the
first value as it is; the second time as the difference to the first, a varint; then differences of
differences of time in 1, 16, 20, 24 or 68 bits. A value is the bits in which it differs from the
one before: none (1 bit), or the bits between its leading and its trailing zeros, with their
number. The third way of the format, to go on with the zeros of an earlier value, would make each
sample wait for the one before; nothing is lost without it but some bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.samples import TimeArray, ValueArray

SAMPLES_A_CHUNK = 120
"""As many as Prometheus puts into one."""

_CHUNKS_AT_ONCE = 128  # a sample takes some 200 bytes while it is written
_MOST_LEADING = 31
_FIELDS = 4  # of a sample: time, more of the time, value, more of the value
_RANGES = ((14, 0b10, 2), (17, 0b110, 3), (20, 0b1110, 4))
"""Differences of differences: the bits they fit in, the mark before them and its bits."""

Words = NDArray[np.uint64]
Bits = NDArray[np.int64]
Sizes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some samples of one series; both times are those of samples."""

    min_time_ms: int
    max_time_ms: int
    data: bytes


def encode(
    ts: TimeArray, values: ValueArray, offsets: NDArray[np.int64]
) -> Iterator[tuple[int, list[Chunk]]]:
    """The chunks of each series that has samples, with the series' number, in order.

    ``ts``: int64 ``[samples]``, ascending in each series. ``values``: float64 of the same shape,
    whose bits are kept. Series ``i`` has the rows ``offsets[i]:offsets[i + 1]``.
    """
    lengths = np.diff(offsets)
    of_series = np.repeat(np.arange(len(lengths)), -(-lengths // SAMPLES_A_CHUNK))
    firsts = _first_rows(lengths, offsets[:-1])
    if not len(firsts):
        return
    ends = np.append(firsts[1:], offsets[-1])
    bodies = _bodies(ts, np.ascontiguousarray(values).view(np.uint64), firsts)
    chunks: list[Chunk] = []
    rows = zip(of_series.tolist(), firsts.tolist(), ends.tolist(), bodies, strict=True)
    current = -1
    for series, first, end, body in rows:
        if series != current and chunks:
            yield current, chunks
            chunks = []
        current = series
        data = (end - first).to_bytes(2, "big") + body
        chunks.append(Chunk(int(ts[first]), int(ts[end - 1]), data))
    yield current, chunks


def _first_rows(lengths: Bits, begins: Bits) -> Bits:
    """The first row of each chunk."""
    counts = -(-lengths // SAMPLES_A_CHUNK)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    firsts: Bits = np.repeat(begins, counts) + number * SAMPLES_A_CHUNK
    return firsts


def _bodies(ts: TimeArray, values: Words, firsts: Bits) -> Iterator[bytes]:
    """The bits of each chunk, padded with zeros to whole bytes."""
    ends = np.append(firsts[1:], len(ts))
    for at in range(0, len(firsts), _CHUNKS_AT_ONCE):
        some = firsts[at : at + _CHUNKS_AT_ONCE]
        begin, end = int(some[0]), int(ends[at + len(some) - 1])
        yield from _bodies_of(ts[begin:end], values[begin:end], some - begin)


def _bodies_of(ts: TimeArray, values: Words, firsts: Bits) -> Iterator[bytes]:
    texts = np.zeros((_FIELDS, len(ts)), dtype=np.uint64)
    sizes = np.zeros((_FIELDS, len(ts)), dtype=np.uint8)
    seconds = firsts[np.append(firsts[1:], len(ts)) - firsts > 1] + 1
    _times(ts, firsts, seconds, texts, sizes)
    _values(values, firsts, texts, sizes)
    _join(texts, sizes)
    of_chunk = np.add.reduceat(sizes.sum(axis=0, dtype=np.int64), firsts)
    words = -(-of_chunk // 64)
    begins = np.cumsum(words) - words
    packed = _packed(texts, sizes, firsts, of_chunk, begins, int(words.sum())).tobytes()
    for begin, bits in zip(begins.tolist(), of_chunk.tolist(), strict=True):
        yield packed[8 * begin : 8 * begin + -(-bits // 8)]


def _times(ts: TimeArray, firsts: Bits, seconds: Bits, texts: Words, sizes: Sizes) -> None:
    deltas = np.diff(ts, prepend=ts[:1])
    changes = np.diff(deltas, prepend=deltas[:1])
    sizes[0] = 1
    odd = np.flatnonzero(changes)
    change = changes[odd]
    # Filled from the widest range to the narrowest, so that the narrowest that fits stays.
    texts[0, odd], sizes[0, odd] = 0b1111, 4
    texts[1, odd], sizes[1, odd] = change.view(np.uint64), 64
    for bits, mark, mark_bits in reversed(_RANGES):
        fits = (change >= 1 - (1 << (bits - 1))) & (change <= 1 << (bits - 1))
        rows, low = odd[fits], change[fits] & ((1 << bits) - 1)
        texts[0, rows], sizes[0, rows] = low | (mark << bits), mark_bits + bits
        sizes[1, rows] = 0
    first = ts[firsts]
    _varints(((first << 1) ^ (first >> 63)).view(np.uint64), firsts, texts, sizes)
    _varints(deltas[seconds].view(np.uint64), seconds, texts, sizes)


def _varints(numbers: Words, rows: Bits, texts: Words, sizes: Sizes) -> None:
    """Up to eight bytes in the first field of a row, and up to two in the second."""
    texts[:2, rows], sizes[:2, rows] = 0, 0
    left = numbers.copy()
    going = np.ones(len(rows), dtype=np.bool_)
    for byte in range(10):
        if not going.any():
            break
        at, field = rows[going], byte // 8
        more = left[going] >> np.uint64(7)
        part = (left[going] & np.uint64(0x7F)) | np.where(more > 0, np.uint64(0x80), np.uint64(0))
        texts[field, at] = (texts[field, at] << np.uint64(8)) | part
        sizes[field, at] += 8
        left[going] = more
        going &= left > 0


def _values(values: Words, firsts: Bits, texts: Words, sizes: Sizes) -> None:
    changed = values ^ np.concatenate([values[:1], values[:-1]])
    smeared = changed.copy()
    for by in (1, 2, 4, 8, 16, 32):
        smeared |= smeared >> np.uint64(by)
    leading = np.minimum(np.uint8(64) - np.bitwise_count(smeared), _MOST_LEADING)
    lowest = changed & (~changed + np.uint64(1))
    trailing = np.bitwise_count(lowest - np.uint64(1))
    some = changed != 0
    trailing[~some] = 0
    kept = np.where(some, 64 - leading - trailing, 0).astype(np.uint8)
    header = (0b11 << 11) | (leading.astype(np.uint64) << np.uint64(6)) | (kept & 63)
    texts[2], sizes[2] = np.where(some, header, 0), np.where(some, 13, 1)
    texts[3], sizes[3] = changed >> trailing.astype(np.uint64), kept
    texts[2, firsts], sizes[2, firsts] = values[firsts], 64
    sizes[3, firsts] = 0


def _join(texts: Words, sizes: Sizes) -> None:
    """Put the fields of a sample into its first one as far as they fit: fewer are faster."""
    fits = sizes[1] == 0
    for field in (2, 3):
        fits = fits & (sizes[0] + sizes[field] <= 64)
        by = np.where(fits, sizes[field], 0)
        texts[0] = (texts[0] << by.astype(np.uint64)) | np.where(fits, texts[field], np.uint64(0))
        sizes[0] += by
        sizes[field] -= by


def _packed(
    texts: Words, sizes: Sizes, firsts: Bits, of_chunk: Bits, begins: Bits, words: int
) -> NDArray[np.uint64]:
    """All fields one after the other, each chunk from a whole word on; big-endian words."""
    in_order = sizes.T.ravel()
    used = np.flatnonzero(in_order)
    size, text = in_order[used].astype(np.int64), texts.T.ravel()[used]
    moved = 64 * begins - (np.cumsum(of_chunk) - of_chunk)
    counts = np.diff(np.searchsorted(used, np.append(firsts, sizes.shape[1]) * _FIELDS))
    at = np.cumsum(size) - size + np.repeat(moved, counts)
    word, end = at >> 6, (at & 63) + size
    beyond = end > 64
    over = np.where(beyond, end - 64, 0).astype(np.uint64)
    here = (text >> over) << np.where(beyond, 0, 64 - end).astype(np.uint64)
    found = np.zeros(words, dtype=np.uint64)
    starts = np.flatnonzero(np.diff(word, prepend=-1))
    # No two fields have a bit in common: to add is to put side by side.
    found[word[starts]] = np.add.reduceat(here, starts)
    found[word[beyond] + 1] |= text[beyond] << (128 - end[beyond]).astype(np.uint64)
    return found.astype(">u8")
