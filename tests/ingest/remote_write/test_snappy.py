"""The size that a snappy block declares is believed only so far."""

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.ingest.push import TooLarge
from pynomaly.ingest.remote_write.decoded import Malformed
from pynomaly.ingest.remote_write.regular_v1 import PADDING
from pynomaly.ingest.remote_write.snappy import unpack, unpacked_size


def pack(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


@given(st.binary(max_size=5000))
def test_what_was_packed_is_unpacked_with_padding_behind(body: bytes) -> None:
    assert unpack(pack(body), 5000).tobytes() == body + bytes(PADDING)


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    bomb = b"\xff\xff\xff\xff\x0f" + b"\x00" * 10
    assert unpacked_size(bomb) == 2**32 - 1
    with pytest.raises(TooLarge, match="declares 4294967295 bytes unpacked"):
        unpack(bomb, 1 << 20)


@pytest.mark.parametrize(
    "body",
    [b"", b"\x80", b"\xff\xff\xff\xff\x1f", b"\xff" * 6, b"\x05abc", b"\x64", b"\x00\x00\x00"],
)
def test_what_is_not_snappy_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="not in the snappy block format"):
        unpack(body, 1000)


def test_a_truncated_block_is_malformed() -> None:
    whole = pack(bytes(range(256)) * 4)
    for end in range(len(whole)):
        with pytest.raises(Malformed):
            unpack(whole[:end], 10_000)
