"""Where a request really comes from, when proxies may stand between."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PROXY_HEADERS = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
    }
)


@dataclass(frozen=True, slots=True)
class Client:
    """``address`` for people and the audit log; ``local`` when nothing says it is not."""

    address: str
    local: bool
    reason: str


def find_client(scope: Any, trusted: Sequence[Network]) -> Client:
    """Decide whether an ASGI request comes from this very machine.

    A loopback connection is not enough: with a reverse proxy on this machine every remote client
    arrives by one. So a loopback request is local only if nothing shows a proxy:

    - It has no header that proxies add. The exception is ``X-Forwarded-For`` of a proxy that
      is configured as trusted; then the address counts that the nearest trusted proxy saw.
    - It speaks HTTP/1.1 or later. nginx adds no header unless told to, but talks HTTP/1.0 to
      what is behind it (until its 1.29.7), which today's local clients do not.
    - Loopback is not itself configured as a trusted proxy: then a request without
      ``X-Forwarded-For`` is one whose origin the proxy did not tell.

    A proxy that speaks HTTP/1.1 and adds no header cannot be told from a local client: for it
    there is the setting ``access.trust_loopback: false``.
    """
    peer = _address((scope.get("client") or ("", 0))[0])
    if peer is None:
        return Client("", False, "the connection has no IP address")
    headers = scope["headers"]
    proxied = sorted(name.decode() for name in {n for n, _ in headers} & _PROXY_HEADERS)
    if _within(peer, trusted):
        return _behind_trusted(peer, headers, trusted)
    if not peer.is_loopback:
        return Client(str(peer), False, f"{peer} is not this machine")
    if proxied:
        return Client(
            str(peer), False, f"it came through a proxy that is not trusted ({proxied[0]})"
        )
    if scope["type"] == "http" and scope.get("http_version") == "1.0":
        return Client(str(peer), False, "it speaks HTTP/1.0, as a proxy may")
    return Client(str(peer), True, "it comes from this machine")


def _behind_trusted(peer: Address, headers: Any, trusted: Sequence[Network]) -> Client:
    """The rightmost address that is not a trusted proxy's: what is left of it can be invented.

    It is local only if every hop is a loopback address: one machine's 127.0.0.1 is not another's.
    """
    chain = b",".join(v for n, v in headers if n == b"x-forwarded-for").decode("latin-1")
    hops = [_address(_without_port(hop.strip())) for hop in chain.split(",") if hop.strip()]
    if not hops:
        return Client(str(peer), False, "the trusted proxy did not send X-Forwarded-For")
    known = [hop for hop in hops if hop is not None]
    if len(known) < len(hops):
        return Client(str(peer), False, "X-Forwarded-For holds what is not an IP address")
    address = next((hop for hop in reversed(known) if not _within(hop, trusted)), known[0])
    local = peer.is_loopback and all(hop.is_loopback for hop in known)
    return Client(str(address), local, f"the trusted proxy says it comes from {address}")


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1 on a dual-stack socket
    return mapped or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
