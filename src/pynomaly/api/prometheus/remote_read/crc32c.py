"""CRC-32C (Castagnoli), which is in no library that is here, except inside snappy's framing."""

from functools import cache

import cramjam

_LARGEST_CHUNK = 65_536
"""Bytes of one chunk of the framing format; each chunk has the checksum of what it unpacks to."""

_AT = 10 + 4  # behind the stream identifier and the chunk's type and length
_MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41 with its bits reversed


def crc32c(data: bytes) -> int:
    """The checksum of some bytes; fast up to 64 KiB."""
    if not 0 < len(data) <= _LARGEST_CHUNK:
        return _slowly(data)
    # https://github.com/google/snappy/blob/main/framing_format.txt, sections 3 and 4.2
    framed = bytes(cramjam.snappy.compress(data))
    masked = (int.from_bytes(framed[_AT : _AT + 4], "little") - _MASK) & 0xFFFFFFFF
    return ((masked >> 17) | (masked << 15)) & 0xFFFFFFFF


def _slowly(data: bytes) -> int:
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        entries.append(value)
    return tuple(entries)
