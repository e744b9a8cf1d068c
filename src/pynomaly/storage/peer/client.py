"""HTTP to one server: its credentials, limits, and what is tried again."""

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import aiohttp

import pynomaly
from pynomaly.model.clock import Clock
from pynomaly.model.duration import format_duration
from pynomaly.storage.peer import metrics
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.errors import AnswerTooLarge, PeerAway, PeerRefused, PeerSilent

_CHUNK = 256 * 1024
_FIRST_WAIT = 0.25  # seconds before the first further try; doubles each time
_LONGEST_WAIT = 10.0  # also where the server asks for more: its caller is waiting
_NOT_NOW = frozenset(
    [
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    ]
)

_THREADS = 2

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request:
    """``operation`` names it in metrics; ``body`` may be a form; seconds for one try."""

    operation: str
    method: str
    url: str
    timeout: float
    body: bytes = b""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Any status below 600 with its body, decompressed. ``retry_after`` in seconds."""

    status: int
    body: bytes
    retry_after: float = 0.0

    def text(self) -> str:
        """The beginning of the body, for people."""
        return " ".join(self.body[:400].decode(errors="replace").split())

    def not_now(self) -> bool:
        """Whether the server says that it cannot at the moment."""
        return self.status in _NOT_NOW or self.status > HTTPStatus.GATEWAY_TIMEOUT


class PeerClient:
    """Requests with the settings' credentials. For the event loop only."""

    def __init__(self, settings: PeerSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._ssl: tuple[tuple[float, ...], ssl.SSLContext] | None = None
        # Threads of our own: those of the loop may all be waiting for an answer from here.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="peer")

    async def in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Run what takes long for a request or an answer outside the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, *arguments)

    async def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def patiently(
        self, request: Request, again: Callable[[Answer], bool] = Answer.not_now
    ) -> Answer:
        """Send what may be repeated: tried again when the server is away, or ``again`` says so.

        Raises:
            PeerAway: no connection, after all tries. PeerSilent: no answer in time; not tried
                again, since it would only be asked to do more.
            PeerRefused, AnswerTooLarge: see ``once``.
        """
        for number in range(self.settings.retries + 1):
            last = number == self.settings.retries
            wait = _FIRST_WAIT * 2**number
            try:
                answer = await self.once(request)
            except PeerSilent:
                raise
            except PeerAway:
                if last:
                    raise
            else:
                if last or not again(answer):
                    return answer
                wait = max(wait, answer.retry_after)
            await self.clock.sleep_until(self.clock.now() + min(wait, _LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    async def once(self, request: Request) -> Answer:
        """Try once; any status is an answer, but those that say that settings are wrong.

        Raises:
            PeerSilent: no complete answer in time.
            PeerAway: no connection, or it broke.
            PeerRefused: the credentials are refused, or files of them cannot be read; a redirect.
            AnswerTooLarge: beyond ``max_answer_bytes``.
        """
        outcome = "failed"
        try:
            with metrics.SECONDS.labels(request.operation).time():
                answer = await self._exchange(request)
            outcome = "failed" if answer.not_now() else "ok" if answer.status < 300 else "refused"
            return answer
        except TimeoutError:
            outcome = "silent"
            within = format_duration(request.timeout)
            raise PeerSilent(f"{self._name()} did not answer within {within}.") from None
        except aiohttp.ClientConnectorError as error:
            raise PeerAway(f"{self._name()} cannot be reached: {_cause(error)}.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise PeerAway(f"The connection to {self._name()} broke: {reason}.") from error
        except (PeerRefused, AnswerTooLarge):
            outcome = "refused"
            raise
        finally:
            metrics.REQUESTS.labels(request.operation, outcome).inc()

    async def _exchange(self, request: Request) -> Answer:
        credentials, tls = await self.in_thread(self._prepare)
        headers = {**(request.headers or {}), **credentials}
        async with (
            asyncio.timeout(request.timeout),
            self._open().request(
                request.method,
                request.url,
                data=request.body or None,
                headers=headers,
                # A redirected POST would become a GET, and credentials might go elsewhere.
                allow_redirects=False,
                ssl=tls if tls is not None else True,
            ) as response,
        ):
            self._check_status(response)
            body = await self._read(response)
            return Answer(response.status, body, _seconds(response.headers.get("retry-after")))

    def _check_status(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise PeerRefused(
                f"{self._name()} refuses the credentials with {status} {response.reason}.",
                hint="See the settings prometheus.username, bearer_token and headers.",
            )
        if 300 <= status < 400:
            to = response.headers.get("location", "elsewhere")
            raise PeerRefused(
                f"{self._name()} redirects to {to}.", hint="Set prometheus.url to where its API is."
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        most = self.settings.max_answer_bytes
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > most:
                raise AnswerTooLarge(
                    f"the answer of {self._name()} is larger than {most} bytes",
                    hint="Ask for less, or raise prometheus.max_answer_bytes.",
                )
        return bytes(body)

    def _prepare(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        """Credentials and certificates; files are read anew, since secrets are rotated."""
        settings = self.settings
        try:
            headers = {n: v.get_secret_value() for n, v in settings.headers.items()}
            headers |= {name: _stripped(path) for name, path in settings.header_files.items()}
            if settings.username:
                password = _secret(settings.password, settings.password_file)
                pair = b64encode(f"{settings.username}:{password}".encode()).decode()
                headers["Authorization"] = f"Basic {pair}"
            elif token := _secret(settings.bearer_token, settings.bearer_token_file):
                headers["Authorization"] = f"Bearer {token}"
            return headers, self._tls()
        except (OSError, UnicodeDecodeError) as error:
            message = f"A file of the settings `prometheus` cannot be used: {error}."
            raise PeerRefused(message) from error

    def _tls(self) -> ssl.SSLContext | None:
        settings = self.settings
        files = [f for f in (settings.ca_file, settings.cert_file, settings.key_file) if f]
        if not files and not settings.insecure_skip_verify:
            return None
        changed = tuple(file.stat().st_mtime for file in files)
        if self._ssl is None or self._ssl[0] != changed:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.insecure_skip_verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if settings.cert_file:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            self._ssl = (changed, context)
        return self._ssl[1]

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"Pynomaly/{pynomaly.__version__}"},
                timeout=aiohttp.ClientTimeout(),
                trust_env=False,
            )
        return self._session

    def _name(self) -> str:
        return str(self.settings.url)


def _secret(value: object, path: Path | None) -> str:
    if path is not None:
        return _stripped(path)
    read = getattr(value, "get_secret_value", None)
    return str(read()) if read else ""


def _stripped(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _cause(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno or 0
    if number > 0 and not isinstance(error, aiohttp.ClientSSLError):
        return os.strerror(number)
    return str(error.os_error) or str(error)


def _seconds(header: str | None) -> float:
    """``Retry-After`` in seconds; its other form, a date, is taken as not given."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
