"""One HTTP client for targets and discovery, with the credentials and limits of each."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from pynomaly import __version__
from pynomaly.ingest.scrape.client_config import ClientConfig, TlsConfig
from pynomaly.ingest.scrape.errors import ScrapeError
from pynomaly.model.duration import format_duration

_CHUNK = 64 * 1024
_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with status 200, decompressed."""

    body: bytes
    content_type: str


def new_session() -> aiohttp.ClientSession:
    """The session that all requests share; close it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"Pynomaly/{__version__}"},
        # Targets are reached as configured, never by the environment's proxy.
        trust_env=False,
    )


class Client:
    """Requests as one ClientConfig says. Files of secrets are read anew for each request."""

    def __init__(self, session: aiohttp.ClientSession, config: ClientConfig) -> None:
        self._session = session
        self._config = config
        self._ssl: ssl.SSLContext | None = None
        self._ssl_files: tuple[float, ...] = ()
        self._has_files = _has_files(config)
        self._prepared: dict[str, str] | None = None

    async def get(
        self, url: str, headers: Mapping[str, str], *, timeout: float, limit: int
    ) -> Answer:
        """Fetch a body of less than ``limit`` bytes within ``timeout`` seconds.

        Raises:
            ScrapeError: no answer in time, another status than 200, too large, broken.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._get(url, headers, limit)
        except TimeoutError:
            message = f"no complete answer within {format_duration(timeout)}"
            raise ScrapeError(message, outcome="timeout") from None
        except aiohttp.ClientError as error:
            raise ScrapeError(_reason(error), outcome="unreachable") from error
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ScrapeError(str(error), outcome="unreachable") from error

    async def _get(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        secrets = await self._credentials()
        tls = self._config.tls_config
        async with self._session.get(
            url,
            headers={**headers, **secrets},
            allow_redirects=self._config.follow_redirects,
            ssl=self._ssl if self._ssl is not None else True,
            server_hostname=tls.server_name or None if url.startswith("https:") else None,
            proxy=self._config.proxy_url or None,
            timeout=aiohttp.ClientTimeout(),
        ) as response:
            if response.status != 200:
                raise ScrapeError(
                    f"server returned HTTP status {response.status} {response.reason}",
                    outcome="status",
                )
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) >= limit:
                    raise ScrapeError(
                        f"the body reaches the limit of {limit} bytes (body_size_limit)",
                        outcome="body_size_limit",
                    )
            return Answer(bytes(body), response.headers.get("Content-Type", ""))

    async def _credentials(self) -> dict[str, str]:
        """The headers of credentials; files are read in a worker thread."""
        if self._prepared is None or self._has_files:
            prepare = self._prepare
            self._prepared = await asyncio.to_thread(prepare) if self._has_files else prepare()
        return self._prepared

    def _prepare(self) -> dict[str, str]:
        config = self._config
        tls = config.tls_config
        modified = tuple(_mtime(path) for path in (tls.ca_file, tls.cert_file, tls.key_file))
        if tls != TlsConfig() and (self._ssl is None or modified != self._ssl_files):
            self._ssl, self._ssl_files = ssl_context(tls), modified
        headers = {}
        for name, header in config.http_headers.items():
            values = [*header.values, *(s.get_secret_value() for s in header.secrets)]
            headers[name] = ",".join([*values, *map(_read, header.files)])
        if (basic := config.basic_auth) is not None:
            user = basic.username or _read(basic.username_file)
            password = basic.password.get_secret_value() or _read(basic.password_file)
            pair = b64encode(f"{user}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        if (auth := config.credentials()) is not None:
            secret = auth.credentials.get_secret_value() or _read(auth.credentials_file)
            headers["Authorization"] = f"{auth.type.strip() or 'Bearer'} {secret}"
        return headers


def ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    """What ``tls_config`` says; raises OSError or ssl.SSLError when files cannot be used."""
    context = ssl.create_default_context(cafile=tls.ca_file or None, cadata=tls.ca or None)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    if tls.min_version:
        context.minimum_version = _VERSIONS[tls.min_version]
    if tls.max_version:
        context.maximum_version = _VERSIONS[tls.max_version]
    return context


def _has_files(config: ClientConfig) -> bool:
    tls, basic, auth = config.tls_config, config.basic_auth, config.credentials()
    return bool(
        tls.ca_file
        or tls.cert_file
        or any(header.files for header in config.http_headers.values())
        or (basic is not None and (basic.username_file or basic.password_file))
        or (auth is not None and auth.credentials_file)
    )


def _read(path: str) -> str:
    return Path(path).read_text().strip() if path else ""


def _mtime(path: str) -> float:
    return Path(path).stat().st_mtime if path else 0.0


def _reason(error: aiohttp.ClientError) -> str:
    return str(error) or type(error).__name__
