"""What a remote reader asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import cramjam
from google.protobuf.message import DecodeError

from pynomaly.api.prometheus.remote_read.messages_pb2 import LabelMatcher, ReadRequest
from pynomaly.ingest.remote_write.snappy import unpacked_size
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import Matcher, MatchOp

LARGEST = 32 << 20
"""Bytes of a request, packed and unpacked: Prometheus's limit (storage/remote/codec.go)."""

_OPS = {
    LabelMatcher.EQ: MatchOp.EQUAL,
    LabelMatcher.NEQ: MatchOp.NOT_EQUAL,
    LabelMatcher.RE: MatchOp.REGEX,
    LabelMatcher.NRE: MatchOp.NOT_REGEX,
}


class ResponseType(IntEnum):
    """How series are sent."""

    SAMPLES = 0
    STREAMED_XOR_CHUNKS = 1


@dataclass(frozen=True, slots=True)
class Query:
    """Samples of the series that satisfy every matcher, in a closed range of milliseconds."""

    matchers: Sequence[Matcher]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries, and the first way of answering that both sides know."""

    queries: Sequence[Query]
    response_type: ResponseType


def decode(packed: bytes, external_labels: Mapping[str, str]) -> Asked:
    """Read a request. A matcher that asks for one of our external labels is satisfied.

    Raises:
        BadInput: not snappy, not a request, a wrong regular expression, or no way of answering
            that is known here.
    """
    size = unpacked_size(packed)
    if size > LARGEST:
        raise BadInput(f"snappy: decoded length {size} exceeds limit {LARGEST}")
    request = ReadRequest()
    try:
        request.ParseFromString(bytes(cramjam.snappy.decompress_raw(packed)))
    except cramjam.DecompressionError as error:
        raise BadInput(f"snappy: corrupt input: {error}") from error
    except DecodeError as error:
        raise BadInput(f"the body is not a ReadRequest: {error}") from error
    queries = [
        Query(
            [_matcher(each, external_labels) for each in query.matchers],
            query.start_timestamp_ms,
            query.end_timestamp_ms,
        )
        for query in request.queries
    ]
    return Asked(queries, _negotiated(request.accepted_response_types))


def _matcher(asked: LabelMatcher, external_labels: Mapping[str, str]) -> Matcher:
    op = _OPS.get(asked.type)
    if op is None:
        raise BadInput("invalid matcher type")
    value = asked.value
    if op is MatchOp.EQUAL and external_labels.get(asked.name) == value:
        value = ""  # they are not stored: they are added to the answer
    return Matcher(asked.name, op, value)


def _negotiated(accepted: Sequence[int]) -> ResponseType:
    known = {each.value for each in ResponseType}
    for each in accepted or [ResponseType.SAMPLES]:
        if each in known:
            return ResponseType(each)
    raise BadInput(
        "server does not support any of the requested response types: "
        f"{list(accepted)}; supported: {', '.join(each.name for each in ResponseType)}"
    )
