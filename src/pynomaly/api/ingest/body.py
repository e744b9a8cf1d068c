"""Bodies of requests, within bounds."""

import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from fastapi import Request
from starlette.requests import ClientDisconnect

from pynomaly.ingest.push import Overloaded, TooLarge, Unsupported
from pynomaly.model.errors import BadInput, PynomalyError

RETRY_AFTER = {"retry-after": "5"}
"""Seconds after which what was refused for lack of room may go through."""

DRAINED_BYTES = 256 << 20
"""As much of a body that is refused is let come before the connection is given up."""

_GZIP = zlib.MAX_WBITS | 16


class Room:
    """How many bytes of bodies are held right now; the event loop's own, so without a lock."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._taken = 0

    @contextmanager
    def reserve(self) -> Iterator["Reservation"]:
        """Room for one body, given back at the end."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self._taken -= reservation.size


class Reservation:
    """What one request holds."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def grow(self, size: int) -> None:
        """Take ``size`` bytes more.

        Raises:
            Overloaded: there is no room now.
        """
        if self._room._taken + size > self._room._capacity:
            raise Overloaded(
                "too many bytes of requests are in flight", hint="Try again in a few seconds."
            )
        self._room._taken += size
        self.size += size


class SenderGone(PynomalyError):
    """The connection broke before the body was whole; the status is nginx's, for the log."""

    status = 499
    kind = "canceled"


async def pieces_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives.

    Raises:
        SenderGone: it will not arrive in whole.
    """
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise SenderGone("the sender closed the connection before the body was whole") from None


async def drain(pieces: AsyncIterator[bytes], limit: int | None = DRAINED_BYTES) -> None:
    """Let the rest of a body come, up to ``limit`` bytes, before an early answer.

    A connection that is closed while its sender still writes is reset, and then the sender may
    never see the answer that says why.
    """
    size = 0
    with suppress(SenderGone):
        async for piece in pieces:
            size += len(piece)
            if limit is not None and size > limit:
                return


async def read_body(request: Request, limit: int, held: Reservation) -> bytes:
    """The whole body of at most ``limit`` bytes.

    Raises:
        TooLarge: it is larger, by its Content-Length or by what arrived.
        Overloaded: there is no room for it now. SenderGone: it did not arrive in whole.
    """
    declared = request.headers.get("content-length", "0")
    arriving = pieces_of(request)
    pieces, size = [], 0
    try:
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        async for piece in arriving:
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            held.grow(len(piece))
            pieces.append(piece)
    except (TooLarge, Overloaded):
        pieces.clear()
        await drain(arriving)
        raise
    return b"".join(pieces)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than the {limit} bytes allowed",
        hint="Send fewer samples in a request.",
    )


def is_gzip(request: Request) -> bool:
    """Whether the body is gzipped.

    Raises:
        Unsupported: it has yet another encoding.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise Unsupported(
            f"Content-Encoding {encoding!r} is not supported",
            hint="Send gzip, or the body as it is.",
        )
    return encoding == "gzip"


def gunzip(packed: bytes, limit: int) -> bytes:
    """Unpack a gzipped body of at most ``limit`` bytes.

    Raises:
        TooLarge: there is more in it. BadInput: it is not gzip, or cut short.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise BadInput(f"the body is not gzip: {error}") from error
    if len(body) > limit:
        raise _too_large(limit)
    if not unpacker.eof:
        raise BadInput("the gzipped body is cut short")
    return body


async def gunzipped(pieces: AsyncIterator[bytes], at_once: int) -> AsyncIterator[bytes]:
    """Unpack a gzipped stream in pieces of at most ``at_once`` bytes; members may follow members.

    Raises:
        BadInput: it is not gzip, or cut short.
    """
    unpacker = zlib.decompressobj(_GZIP)
    fresh = True
    async for packed in pieces:
        while packed:
            if unpacker.eof:
                unpacker, fresh = zlib.decompressobj(_GZIP), True
            try:
                piece = unpacker.decompress(packed, at_once)
            except zlib.error as error:
                raise BadInput(f"the body is not gzip: {error}") from error
            fresh = False
            packed = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if piece:
                yield piece
    if not unpacker.eof and not fresh:
        raise BadInput("the gzipped body is cut short")
