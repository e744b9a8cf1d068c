"""What a ClientConfig proves itself with: headers and TLS, from texts and files."""

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path

from pynomaly.ingest.scrape.client_config import ClientConfig, TlsConfig
from pynomaly.ingest.scrape.oauth2 import Tokens
from pynomaly.ingest.scrape.tls import ssl_context


class Credentials:
    """Headers and TLS of one ClientConfig. Files are read anew each time, in a worker thread."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._tokens = Tokens(config.oauth2) if config.oauth2 is not None else None
        self._ssl: ssl.SSLContext | None = None
        self._ssl_files: tuple[float, ...] = ()
        self._has_files = _has_files(config)
        self._prepared: dict[str, str] | None = None

    @property
    def ssl(self) -> ssl.SSLContext | bool:
        """What aiohttp takes as ``ssl``; valid after ``headers``."""
        return self._ssl if self._ssl is not None else True

    async def headers(self) -> dict[str, str]:
        """The headers to send.

        Raises:
            OSError, ValueError, ssl.SSLError: a file cannot be used.
            TokenRefused: the server of ``oauth2`` gives no token.
        """
        if self._prepared is None or self._has_files:
            prepare = self._prepare
            self._prepared = await asyncio.to_thread(prepare) if self._has_files else prepare()
        if self._tokens is not None:
            return {**self._prepared, "Authorization": await self._tokens.authorization()}
        return self._prepared

    def renew(self) -> bool:
        """Whether another attempt could prove more: with a new token in place of a kept one."""
        return self._tokens is not None and self._tokens.renew()

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
