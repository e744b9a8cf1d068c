"""The snappy block format, with a bound on what it unpacks to."""

import cramjam
import numpy as np

from pynomaly.ingest.push import TooLarge
from pynomaly.ingest.remote_write.decoded import Malformed
from pynomaly.ingest.remote_write.regular_v1 import PADDING, Bytes

_LONGEST_HEADER = 5


def unpacked_size(packed: bytes) -> int:
    """The size that the header declares: a varint of at most 32 bits.

    Raises:
        Malformed: no such header.
    """
    size = 0
    for i, byte in enumerate(packed[:_LONGEST_HEADER]):
        size |= (byte & 0x7F) << (7 * i)
        if byte < 0x80 and size < 1 << 32:
            return size
    raise Malformed("the body is not in the snappy block format: no length at its beginning")


def unpack(packed: bytes, limit: int) -> Bytes:
    """Unpack a body of at most ``limit`` bytes; ``PADDING`` zero bytes are put behind it.

    The declared size is checked first, so that a bomb is refused before it costs memory.

    Raises:
        TooLarge: the body declares more than ``limit`` bytes.
        Malformed: not snappy, or not as long as it declares.
    """
    size = unpacked_size(packed)
    if size > limit:
        raise TooLarge(
            f"the body declares {size} bytes unpacked, more than the {limit} allowed",
            hint="Send fewer samples in a request.",
        )
    padded = np.zeros(size + PADDING, np.uint8)
    try:
        written = cramjam.snappy.decompress_raw_into(packed, padded.data[:size])
    except cramjam.DecompressionError as error:
        raise Malformed(f"the body is not in the snappy block format: {error}") from error
    if written != size:
        raise Malformed(f"the body declares {size} bytes unpacked and holds {written}")
    return padded
