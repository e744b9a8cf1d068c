"""One HTTP client for targets and discovery, with the credentials and limits of each."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from pynomaly import __version__
from pynomaly.ingest.scrape.client_config import ClientConfig
from pynomaly.ingest.scrape.credentials import Credentials
from pynomaly.ingest.scrape.errors import ScrapeError
from pynomaly.model.duration import format_duration

_CHUNK = 64 * 1024


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
    """Requests as one ClientConfig says."""

    def __init__(self, session: aiohttp.ClientSession, config: ClientConfig) -> None:
        self._session = session
        self._config = config
        self._credentials = Credentials(config)

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
        secrets = await self._credentials.headers()
        tls = self._config.tls_config
        async with self._session.get(
            url,
            headers={**headers, **secrets},
            allow_redirects=self._config.follow_redirects,
            ssl=self._credentials.ssl,
            server_hostname=tls.server_name or None if url.startswith("https:") else None,
            proxy=self._config.proxy_url or None,
            timeout=aiohttp.ClientTimeout(),
        ) as response:
            if response.status == 401:
                self._credentials.renew()  # for the next scrape
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


def _reason(error: aiohttp.ClientError) -> str:
    return str(error) or type(error).__name__
