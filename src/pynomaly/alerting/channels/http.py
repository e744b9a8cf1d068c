"""One HTTP client for all channels: ``http_config``, time limits, redirects, and no secret told."""

import asyncio
import email.utils
import re
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import orjson
from yarl import URL

from pynomaly import __version__
from pynomaly.alerting.channels.config import HttpConfig
from pynomaly.alerting.channels.messages import shortened
from pynomaly.alerting.channels.secrets import Secrets
from pynomaly.alerting.contract import Delivery, Outcome
from pynomaly.ingest.scrape.credentials import Credentials
from pynomaly.ingest.scrape.oauth2 import TokenRefused
from pynomaly.ingest.scrape.proxy import bypassed, proxy_headers
from pynomaly.model.duration import format_duration

LONGEST_ATTEMPT = 30.0
"""Seconds that an attempt may take where no ``timeout`` says otherwise."""

_MOST_OF_AN_ANSWER = 64 * 1024
_MOST_OF_A_REASON = 200  # characters of the receiver's answer
_MOST_REDIRECTS = 5
_WRITABLE = re.compile(r"[!-~]+")
_SAME_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
_NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Unreachable(Exception):
    """There is no answer. ``str()`` is for people and holds no secret.

    ``permanent``: the same request can never succeed.
    """

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent

    def delivery(self) -> Delivery:
        """What it means for the notification."""
        return Delivery(Outcome.PERMANENT if self.permanent else Outcome.RETRYABLE, str(self))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. ``body``: the beginning of it. ``secrets``: what it may say back."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytes
    secrets: Secrets

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def text(self) -> str:
        """The body as text without secrets, for people."""
        return self.secrets.hide(self.body.decode(errors="replace").strip())

    def json(self) -> dict[str, Any]:
        """The object that the body is; empty when it is none."""
        try:
            found = orjson.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    body: bytes
    headers: Mapping[str, str]
    proofs: Mapping[str, str]
    """Headers for nobody but the host that was asked first."""
    most: int
    """Bytes of the answer that are read."""


class HttpClient:
    """Sends requests as ``http_config`` says.

    Redirects that keep the method (307 and 308) are followed, with credentials only on the same
    host; those that would turn the POST into a GET, by which nothing is told to anybody, are not.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self._credentials = Credentials(config)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        timeout: float = 0.0,
        headers: Mapping[str, str] | None = None,
        proofs: Mapping[str, str] | None = None,
        secrets: Secrets | None = None,
        method: str = "POST",
        content_type: str = "application/json",
        most: int = _MOST_OF_AN_ANSWER,
        secret_address: bool = True,
    ) -> Answer:
        """Send a body. ``timeout``: seconds for all of it; 0: thirty. ``most``: bytes of the
        answer that are read. ``secret_address``: whether parts of the URL may be secrets.

        ``proofs`` are headers that only the host of ``url`` may see. ``secrets``: what else,
        besides the address and the proofs, must not be told to anybody.

        Raises:
            Unreachable: no answer, an answer that never ends, or a redirect that leads nowhere.
        """
        limit = timeout or LONGEST_ATTEMPT
        hidden = secrets or Secrets()
        if secret_address:
            hidden.url(url)
        try:
            async with asyncio.timeout(limit):
                sent = _Request(
                    method, body, {"Content-Type": content_type, **(headers or {})}, {}, most
                )
                answer = await self._proven(url, sent, proofs or {}, hidden)
                if answer.status == HTTPStatus.UNAUTHORIZED and self._credentials.renew():
                    answer = await self._proven(url, sent, proofs or {}, hidden)
                return answer
        except TimeoutError:
            raise Unreachable(f"no answer within {format_duration(limit)}") from None
        except aiohttp.ClientError as error:
            raise _unreachable(error, hidden) from None
        except OSError as error:
            raise Unreachable(f"cannot connect: {error.strerror or 'no route'}") from None

    async def close(self) -> None:
        """Close the connections; what is tried afterwards fails."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _proven(
        self, url: str, sent: "_Request", proofs: Mapping[str, str], hidden: Secrets
    ) -> Answer:
        own = {**await self._proofs(), **proofs}
        return await self._follow(url, replace(sent, proofs=own), hidden.headers(own))

    async def _proofs(self) -> dict[str, str]:
        try:
            return await self._credentials.headers()
        except TokenRefused as error:
            raise Unreachable(str(error)) from None
        except (OSError, ValueError, ssl.SSLError) as error:
            what = getattr(error, "filename", None) or "http_config"
            why = getattr(error, "strerror", None) or type(error).__name__
            raise Unreachable(f"{what} cannot be used: {why}") from None

    async def _follow(self, url: str, sent: "_Request", hidden: Secrets) -> Answer:
        first = _origin(url)
        for _ in range(_MOST_REDIRECTS):
            answer = await self._once(url, sent, hidden, trusted=_origin(url) == first)
            if answer.status not in _SAME_METHOD or not self._config.follow_redirects:
                return answer
            url = _next(url, answer.headers.get("Location", ""))
            hidden.url(url)  # where somebody else sends us may be anything
        raise Unreachable(f"redirected more than {_MOST_REDIRECTS} times")

    async def _once(self, url: str, sent: "_Request", hidden: Secrets, *, trusted: bool) -> Answer:
        tls = self._config.tls_config
        secure = url.lower().startswith("https:")
        async with self._open().request(
            sent.method,
            _verbatim(url),
            data=sent.body or None,
            headers={**sent.headers, **(sent.proofs if trusted else {})},
            allow_redirects=False,
            ssl=self._credentials.ssl,
            server_hostname=(tls.server_name or None) if secure else None,
            proxy=self._proxy(url),
            proxy_headers=self._proxy_headers(),
        ) as answer:
            content = await _beginning(answer.content, sent.most)
            phrase = hidden.hide(answer.reason or "")
            return Answer(answer.status, phrase, answer.headers.copy(), content, hidden)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unreachable("the channel is closed, since the configuration has changed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"Pynomaly/{__version__}"},
                trust_env=self._config.proxy_from_environment,
            )
        return self._session

    def _proxy(self, url: str) -> str | None:
        proxy = self._config.proxy_url
        return proxy if proxy and not bypassed(url, self._config.no_proxy) else None

    def _proxy_headers(self) -> dict[str, str] | None:
        return proxy_headers(self._config.proxy_connect_header)


async def _beginning(stream: aiohttp.StreamReader, most: int) -> bytes:
    """At most so many bytes; one ``read`` gives no more than what has come yet."""
    found = bytearray()
    while len(found) < most and (part := await stream.read(most - len(found))):
        found += part
    return bytes(found)


def judge(
    answer: Answer,
    now: float,
    *,
    retry: Collection[int] = (),
    detail: str | None = None,
) -> Delivery:
    """What a status means: 2xx delivered; 5xx, 408, 429 and those of ``retry``: try again.

    ``now``: epoch seconds. ``detail`` stands in the reason instead of the body.
    """
    if answer.ok:
        return Delivery(Outcome.DELIVERED)
    said = answer.text if detail is None else answer.secrets.hide(detail)
    reason = f"{answer.status} {answer.phrase}".strip()
    if said:
        reason += f": {shortened(said, _MOST_OF_A_REASON)}"
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return Delivery(
            Outcome.PERMANENT, f"{answer.status} {answer.phrase}: a redirect, which is not followed"
        )
    again = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _NOT_NOW
    if again or answer.status in retry:
        return Delivery(Outcome.RETRYABLE, reason, retry_after=_retry_after(answer, now))
    return Delivery(Outcome.PERMANENT, reason)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:  # its message shows parts of the address
        raise Unreachable("the address is not one that can be called", permanent=True) from None


def _verbatim(url: str) -> URL | str:
    """The address to the letter, where it can be: services sign theirs, escapes included."""
    try:
        return URL(url, encoded=True) if _WRITABLE.fullmatch(url) else url
    except ValueError:  # its message shows parts of the address
        raise Unreachable("the address is not one that can be called", permanent=True) from None


def _next(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    scheme = _origin(target)[0]
    if not location or scheme not in ("http", "https"):
        raise Unreachable("redirected to what is not an address", permanent=True)
    if _origin(url)[0] == "https" and scheme == "http":
        raise Unreachable("redirected from https to http, which is not followed", permanent=True)
    return target


def _retry_after(answer: Answer, now: float) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or a date; 0 where it says nothing."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def _unreachable(error: aiohttp.ClientError, secrets: Secrets) -> Unreachable:
    # Never the error's own text: it may hold the address, which may be the secret.
    match error:
        case aiohttp.InvalidURL():
            return Unreachable("the address is not one that can be called", permanent=True)
        case aiohttp.ClientConnectorCertificateError():
            why = secrets.hide(str(error.certificate_error))
            return Unreachable(f"TLS: {why}")
        case aiohttp.ClientHttpProxyError():
            return Unreachable(f"the proxy answered {error.status}")
        case aiohttp.ClientProxyConnectionError():
            return Unreachable("cannot connect to the proxy")
        case aiohttp.ClientConnectorSSLError():
            return Unreachable(f"TLS: {secrets.hide(str(error.os_error))}")
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or type(error.os_error).__name__
            return Unreachable(f"cannot connect: {secrets.hide(why)}")
        case _:
            return Unreachable(f"the connection broke: {type(error).__name__}")
