"""Which names this server answers to, and which pages may act on it."""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Names:
    """The names in ``Host`` that are ours, against DNS rebinding.

    A page of evil.example whose name is made to point at 127.0.0.1 sends ``Host: evil.example``:
    it is refused. An IP address as host is always accepted, since only names can be rebound; so
    are ``localhost``, this machine's own name, and what is configured (``*.example.com`` stands
    for every name below example.com).
    """

    def __init__(self, bound: str, configured: Iterable[str] = ()) -> None:
        given = [name.strip().lower().rstrip(".") for name in (bound, *configured) if name.strip()]
        self._exact = {"localhost", socket.gethostname().lower(), *given}
        self._below = tuple(name[1:] for name in given if name.startswith("*."))

    def accepts(self, host: str) -> bool:
        """Whether a ``Host`` header, with or without a port, names this server."""
        name = split_host(host)
        return name is not None and self.include(name)

    def include(self, name: str) -> bool:
        """Whether a name or an IP address (without brackets) is this server's."""
        return _is_ip(name) or name in self._exact or name.endswith((".localhost", *self._below))


class Origins:
    """Which ``Origin`` may change things: our own pages, and what is configured.

    Ours is an origin of the same host and port as the request, or one of the ports that the
    product listens on, on a name that is ours. Requests without ``Origin`` are not a page's.
    """

    def __init__(self, names: Names, ports: Iterable[int], allowed: Iterable[str] = ()) -> None:
        self._names = names
        self._ports = frozenset(ports)
        self._allowed = {origin.strip().lower().rstrip("/") for origin in allowed}

    def accepts(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` may act on the server that it addressed as ``host``."""
        if origin.lower() in self._allowed:
            return True
        page = _netloc(origin)
        if page is None:
            return False  # "null": a sandboxed frame, a file, a redirect from elsewhere
        scheme, name, port = page
        if (name, port) == (split_host(host), _port(host) or _DEFAULT_PORTS[scheme]):
            return True
        return port in self._ports and not _is_foreign_ip(name, host) and self._names.include(name)


def split_host(host: str) -> str | None:
    """The name without the port, in lower case and without brackets; None if it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".") or None
    except ValueError:
        return None


def _port(host: str) -> int | None:
    try:
        return urlsplit(f"//{host}").port
    except ValueError:
        return None


def _netloc(origin: str) -> tuple[str, str, int] | None:
    scheme, separator, rest = origin.lower().partition("://")
    name = split_host(rest)
    if not separator or scheme not in _DEFAULT_PORTS or name is None:
        return None
    return scheme, name, _port(rest) or _DEFAULT_PORTS[scheme]


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_foreign_ip(name: str, host: str) -> bool:
    """An IP address is a fine ``Host``, but as an origin it may be anyone's server."""
    if not _is_ip(name) or ipaddress.ip_address(name).is_loopback:
        return False
    return name != split_host(host)
