"""What every request passes before it reaches a route: its host, its origin, who sends it."""

import ipaddress
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter

from pynomaly.access.config import AccessSettings
from pynomaly.access.credentials import Credentials
from pynomaly.access.errors import AccessDenied, InsecureBinding, WrongHost
from pynomaly.access.hosts import Names, Origins
from pynomaly.access.peer import Client, Network, find_client
from pynomaly.access.policy import ANONYMOUS, LOCAL, Policy, Principal
from pynomaly.observability import REGISTRY

DENIED = Counter(
    "pynomaly_access_denied",
    "Requests that were not let in: wrong host, foreign origin, wrong credentials, or no "
    "permission. Many with wrong credentials are an attack or a forgotten client.",
    ["reason"],
    registry=REGISTRY,
)

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Admission:
    """What is known of a request that may go on; it lies in ``scope["state"]["admission"]``."""

    principal: Principal
    client: Client
    request_id: str
    policy: Policy
    audit: "PendingAudit | None" = None


@dataclass(slots=True)
class PendingAudit:
    """The audit row that is written when the answer is known; a handler may add to ``detail``."""

    action: Any
    resource: str
    denied: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class Gate:
    """The doorkeeper of both applications."""

    def __init__(
        self,
        settings: AccessSettings,
        *,
        host: str = "127.0.0.1",
        ports: Iterable[int] = (),
        allowed_hosts: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
        policy: Policy | None = None,
    ) -> None:
        """``host`` and ``ports`` are what the product listens on.

        Raises:
            InsecureBinding: it would be open to the network, or a secret's file is unusable.
        """
        check_binding(host, settings)
        self._settings = settings
        self._credentials = Credentials(settings)
        self._names = Names(host, allowed_hosts)
        self._origins = Origins(self._names, ports, settings.allowed_origins)
        self._trusted: Sequence[Network] = [ipaddress.ip_network(p) for p in trusted_proxies]
        self._policy = policy or Policy()
        self.login_schemes = tuple(
            scheme
            for scheme, there in (
                ('Basic realm="Pynomaly", charset="UTF-8"', self._credentials.has_password),
                ('Bearer realm="Pynomaly"', True),
            )
            if there
        )

    def admit(self, scope: Any) -> Admission:
        """Check an ASGI scope of type ``http`` or ``websocket``, and say who it is.

        Raises:
            WrongHost: ``Host`` names another server.
            AccessDenied: a foreign page wants to act, or the credentials are wrong.
        """
        host = self._check_host(scope)
        if scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS:
            self._check_origin(scope, host)
        client = find_client(scope, self._trusted)
        return Admission(self._identify(scope, client), client, _request_id(scope), self._policy)

    def _check_host(self, scope: Any) -> str:
        hosts = _header(scope, b"host")
        if not hosts:
            return ""  # HTTP/1.0; every browser sends it, so no page is behind this
        if len(hosts) > 1 or not self._names.accepts(hosts[0]):
            DENIED.labels("host").inc()
            raise WrongHost(
                f"{hosts[0]!r} is not a name of this server.",
                hint="If it should be, add it to server.allowed_hosts.",
            )
        return hosts[0]

    def _check_origin(self, scope: Any, host: str) -> None:
        for origin in _header(scope, b"origin"):
            if not self._origins.accepts(origin, host):
                DENIED.labels("origin").inc()
                raise AccessDenied(
                    f"A page of {origin!r} may not act here.",
                    hint="If it should, add it to access.allowed_origins.",
                )

    def _identify(self, scope: Any, client: Client) -> Principal:
        given = "".join(_header(scope, b"authorization")[:1])
        if given and (principal := self._credentials.verify(given)):
            return principal
        if given and self._settings.has_login:
            # Not quietly the local administrator: whoever sends credentials relies on them.
            DENIED.labels("credentials").inc()
            raise AccessDenied("The credentials are wrong.", status=401)
        if client.local and self._settings.trust_loopback:
            return LOCAL
        return ANONYMOUS


def _request_id(scope: Any) -> str:
    given = "".join(_header(scope, b"x-request-id"))
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _header(scope: Any, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def check_binding(host: str, settings: AccessSettings) -> None:
    """Refuse to listen where others can connect without a login.

    Raises:
        InsecureBinding: ``host`` is not a loopback address and no token or password is set.
    """
    if settings.has_login or _is_loopback(host):
        return
    raise InsecureBinding(
        f"Listening on {host} would let anyone in the network in.",
        hint="Set PYNOMALY_PASSWORD (for browsers) or PYNOMALY_TOKEN (for programs), "
        "or listen on 127.0.0.1.",
    )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False  # a name may point anywhere, and elsewhere tomorrow
