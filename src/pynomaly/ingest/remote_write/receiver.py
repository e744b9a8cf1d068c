"""Takes remote write requests: unpacks and decodes, large ones in a worker thread; then appends."""

import asyncio
from dataclasses import dataclass
from enum import Enum

from pynomaly.ingest.push import Outcome, PushDeps, Unsupported, store
from pynomaly.ingest.remote_write.decode_v1 import DecoderV1
from pynomaly.ingest.remote_write.decode_v2 import DecoderV2
from pynomaly.ingest.remote_write.decoded import Decoded
from pynomaly.ingest.remote_write.regular_v1 import PADDING
from pynomaly.ingest.remote_write.snappy import unpack, unpacked_size
from pynomaly.storage.exemplars.store import OUT_OF_ORDER

_AT_ONCE_BYTES = 100_000
"""Up to this size, unpacked, a body is decoded where it arrives: that takes a fraction of a
millisecond, and handing it to a thread and back costs as much again."""


class Version(Enum):
    """A version of the protocol; the value is the name of its message."""

    V1 = "prometheus.WriteRequest"
    V2 = "io.prometheus.write.v2.Request"

    @property
    def protocol(self) -> str:
        """The name in our metrics."""
        return "remote_write_1" if self is Version.V1 else "remote_write_2"


def version_of(content_type: str) -> Version:
    """The version that a Content-Type names; none at all means 1.0, as with old senders.

    Raises:
        Unsupported: another type, or a message that is not known.
    """
    kind, *parameters = (part.strip() for part in content_type.split(";"))
    if kind.lower() not in ("", "application/x-protobuf"):
        raise Unsupported(
            f"Content-Type {content_type!r} is not supported",
            hint="Send application/x-protobuf.",
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "proto":
            return _named(value.strip().strip('"'))
    return Version.V1


def _named(message: str) -> Version:
    try:
        return Version(message)
    except ValueError:
        known = " and ".join(version.value for version in Version)
        raise Unsupported(
            f"the message {message!r} is not supported", hint=f"Supported are {known}."
        ) from None


def check_encoding(content_encoding: str) -> None:
    """Only snappy, the block format; none at all means snappy, as with old senders.

    Raises:
        Unsupported: another encoding.
    """
    if content_encoding.strip().lower() not in ("", "snappy"):
        raise Unsupported(
            f"Content-Encoding {content_encoding!r} is not supported",
            hint="Send snappy (the block format).",
        )


@dataclass(slots=True)
class _Request:
    decoded: Decoded
    outcome: Outcome


class Receiver:
    """The receiving end of remote write; remembers series over requests."""

    def __init__(self, deps: PushDeps) -> None:
        self._deps = deps
        self._v1 = DecoderV1(deps.limits.max_remembered_series)
        self._v2 = DecoderV2(deps.limits.max_remembered_series)

    async def receive(self, packed: bytes, version: Version) -> Outcome:
        """Store what is valid of a request, and say what was refused and why.

        Raises:
            TooLarge: unpacked it would exceed the limit.
            Malformed: not snappy, or not the version's message; nothing was stored.
            EngineBusy, DiskFull: nothing was stored.
        """
        if unpacked_size(packed) <= _AT_ONCE_BYTES:
            read = self._decode(packed, version)
        else:
            loop = asyncio.get_running_loop()
            read = await loop.run_in_executor(self._deps.executor, self._decode, packed, version)
        outcome = read.outcome
        await store(read.decoded.batch, self._deps, outcome)
        if version is Version.V2 and (late := outcome.refused_exemplars[OUT_OF_ORDER]):
            # A sender by version 1 is told nothing of exemplars, as by Prometheus.
            outcome.faults.append(f"out of order exemplars ({late})")
        outcome.count(version.protocol)
        return outcome

    def _decode(self, packed: bytes, version: Version) -> _Request:
        padded = unpack(packed, self._deps.limits.max_unpacked_bytes)
        if version is Version.V1:
            decoded = self._v1.decode(padded)
        else:
            decoded = self._v2.decode(padded[:-PADDING].tobytes())
        outcome = Outcome(refused=decoded.refused.samples, faults=decoded.refused.faults)
        return _Request(decoded, outcome)
