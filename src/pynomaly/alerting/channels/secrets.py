"""Secrets that a receiver may say back to us, and that nobody else may read."""

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

from pynomaly.alerting.contract import Delivery, Outcome

HIDDEN = "<secret>"
_LEAST = 4  # characters; what is shorter is no secret, and would blacken the text


class UnreadableSecret(Exception):
    """A file that holds a secret cannot be read; the message says which and why."""

    def delivery(self) -> Delivery:
        """Try again: the file may be on its way."""
        return Delivery(Outcome.RETRYABLE, str(self))


class Secrets:
    """Texts that are replaced wherever they stand.

    >>> Secrets().url("https://hooks.example.com/T12345678/x?key=abcdef").hide("no /T12345678 here")
    'no /<secret> here'
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def text(self, *texts: str) -> Self:
        """Hide these."""
        for text in filter(None, texts):
            self._texts |= {text, unquote(text), quote(text, safe="")}
        return self

    def url(self, url: str) -> Self:
        """Hide whatever of an address, besides its host, may be a secret."""
        self.text(url)
        try:
            parts = urlsplit(url)
        except ValueError:
            return self
        values = [value for _, value in parse_qsl(parts.query)]
        user = parts.netloc.rpartition("@")[0].split(":")
        pieces = [parts.path, parts.query, parts.fragment, *parts.path.split("/"), *values, *user]
        return self.text(*(piece for piece in pieces if len(piece.strip("/")) >= _LEAST))

    def headers(self, headers: Mapping[str, str]) -> Self:
        """Hide what headers prove a caller with."""
        for value in headers.values():
            self.text(value)
            scheme, _, proof = value.partition(" ")
            self.text(proof)
            if scheme.lower() == "basic":
                with contextlib.suppress(ValueError):
                    self.text(b64decode(proof).decode(errors="replace").partition(":")[2])
        return self

    def hide(self, text: str) -> str:
        """The text with every secret replaced by ``<secret>``."""
        for secret in sorted(self._texts, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text


async def secret_of(secret: SecretStr | None, file: str) -> str:
    """A secret, or what its file holds now without the space around it; "" when there is neither.

    Raises:
        UnreadableSecret: the file cannot be read.
    """
    if secret is not None and secret.get_secret_value():
        return secret.get_secret_value()
    return await asyncio.to_thread(_read, file) if file else ""


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UnreadableSecret(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UnreadableSecret(f"{file}: it is not text") from None
