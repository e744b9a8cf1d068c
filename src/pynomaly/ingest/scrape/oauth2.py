"""Tokens by OAuth 2.0's client credentials (RFC 6749, 4.4), kept until they expire."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import aiohttp

from pynomaly.ingest.scrape.client_config import OAuth2, TlsConfig
from pynomaly.ingest.scrape.proxy import bypassed, proxy_headers
from pynomaly.ingest.scrape.tls import ssl_context

_EARLY = 10.0
"""Seconds before its end that a token is not used any more, as Go's oauth2 has it."""

_TIMEOUT = 30.0
_LARGEST_ANSWER = 1 << 20
_MOST_OF_A_REASON = 200

_Answer = tuple[int, Mapping[str, Any]]


class TokenRefused(ValueError):
    """There is no token. ``str()`` is for people and holds no secret."""


class Tokens:
    """Asks for a token when there is none that is good. ``now``: seconds that only grow."""

    def __init__(self, config: OAuth2, now: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._now = now
        self._asking = asyncio.Lock()
        self._header = ""
        self._good_until = 0.0
        self._in_body = False
        """Whether the server wants the secret in the body; most take it in a header."""

    async def authorization(self) -> str:
        """The value of the header ``Authorization``.

        Raises:
            TokenRefused: the server gives none, or does not answer.
            OSError: a file cannot be read.
        """
        async with self._asking:
            if not self._header or self._now() >= self._good_until:
                self._header = ""
                self._header, seconds = await self._ask()
                self._good_until = self._now() + seconds
            return self._header

    def renew(self) -> bool:
        """Forget the token, which somebody did not take; whether there was one."""
        had, self._header = bool(self._header), ""
        return had

    async def _ask(self) -> tuple[str, float]:
        secret = await self._secret()
        try:
            async with asyncio.timeout(_TIMEOUT):
                status, found = await self._attempt(secret)
        except TimeoutError:
            raise TokenRefused("oauth2: no token within 30s") from None
        except aiohttp.ClientError as error:
            raise TokenRefused(f"oauth2: no token: {type(error).__name__}") from None
        token = found.get("access_token")
        if status != HTTPStatus.OK or not isinstance(token, str) or not token:
            raise TokenRefused(_reason(status, found, secret))
        kind = str(found.get("token_type") or "Bearer")
        return f"{'Bearer' if kind.lower() == 'bearer' else kind} {token}", _lifetime(found)

    async def _attempt(self, secret: str) -> _Answer:
        config = self._config
        context = None
        if config.tls_config != TlsConfig():
            context = await asyncio.to_thread(ssl_context, config.tls_config)
        async with aiohttp.ClientSession(trust_env=config.proxy_from_environment) as session:
            found = await self._post(session, secret, context)
            if found[0] != HTTPStatus.OK:  # the other way; RFC 6749, 2.3.1 leaves it to servers
                self._in_body = not self._in_body
                other = await self._post(session, secret, context)
                if other[0] == HTTPStatus.OK:
                    return other
                self._in_body = not self._in_body
            return found

    async def _post(self, session: aiohttp.ClientSession, secret: str, context: Any) -> _Answer:
        config = self._config
        url, proxy = config.token_url, config.proxy_url
        secure = url.startswith("https:")
        headers = {"Accept": "application/json"}
        if not self._in_body:
            pair = f"{quote_plus(config.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        async with session.post(
            url,
            data=self._form(secret),
            headers=headers,
            ssl=True if context is None else context,
            server_hostname=(config.tls_config.server_name or None) if secure else None,
            proxy=proxy if proxy and not bypassed(url, config.no_proxy) else None,
            proxy_headers=proxy_headers(config.proxy_connect_header),
            allow_redirects=False,
        ) as answer:
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > _LARGEST_ANSWER:
                    break
            return answer.status, _object(bytes(body))

    def _form(self, secret: str) -> dict[str, str]:
        config = self._config
        form = {"grant_type": "client_credentials"}
        if config.scopes:
            form["scope"] = " ".join(config.scopes)
        if config.audience:
            form["audience"] = config.audience
        if self._in_body:
            form |= {"client_id": config.client_id, "client_secret": secret}
        return {**form, **config.endpoint_params}

    async def _secret(self) -> str:
        config = self._config
        if config.client_secret_file:
            text = await asyncio.to_thread(Path(config.client_secret_file).read_text)
            return text.strip()
        return config.client_secret.get_secret_value()


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lifetime(found: Mapping[str, Any]) -> float:
    """Seconds; for ever where the server does not say."""
    try:
        seconds = float(found["expires_in"])
    except (KeyError, TypeError, ValueError):
        return float("inf")
    return max(0.0, seconds - _EARLY) if seconds > 0 else float("inf")


def _reason(status: int, found: Mapping[str, Any], secret: str) -> str:
    said = ": ".join(str(found[k]) for k in ("error", "error_description") if found.get(k))
    said = said.replace(secret, "<secret>") if secret else said
    reason = f"oauth2: the server of tokens answered {status}"
    return f"{reason}: {said[:_MOST_OF_A_REASON]}" if said else reason
