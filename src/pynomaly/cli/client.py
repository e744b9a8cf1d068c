"""How commands talk to a running server."""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pynomaly.model.errors import PynomalyError

DEFAULT_URL = "http://127.0.0.1:8090"


class ServerUnreachable(PynomalyError):
    """Nobody answers at the URL."""


class Refused(PynomalyError):
    """The server answered with an error; its message is kept."""


class Client:
    """A server's API. ``token`` goes as a bearer token, ``password`` as basic auth."""

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = 120.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """GET a path and return its JSON.

        Raises:
            ServerUnreachable: nobody listens there.
            Refused: the answer was an error.
        """
        query = f"?{urllib.parse.urlencode(params, doseq=True)}" if params else ""
        return self._send(urllib.request.Request(f"{self.url}{path}{query}"))

    def post(
        self,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """POST bytes, or pieces of them (sent chunked), and return the JSON answered."""
        request = urllib.request.Request(
            f"{self.url}{path}", data=body, headers=dict(headers or {}), method="POST"
        )
        return self._send(request)

    def delete(self, path: str) -> Any:
        """DELETE a path and return the JSON answered, if any.

        Raises:
            ServerUnreachable: nobody listens there.
            Refused: the answer was an error.
        """
        return self._send(urllib.request.Request(f"{self.url}{path}", method="DELETE"))

    def lines(self, path: str, body: bytes, headers: Mapping[str, str]) -> Iterator[Any]:
        """POST bytes and yield the JSON of each line of the answer as it comes.

        Raises:
            ServerUnreachable: nobody listens there.
            Refused: the answer, or a line of it, was an error.
        """
        request = urllib.request.Request(
            f"{self.url}{path}", data=body, headers=dict(headers), method="POST"
        )
        with self._answer(request) as answer:
            for line in answer:
                found = _decode(line)
                if isinstance(found, dict) and found.get("status") == "error":
                    raise Refused(f"{found['error']} {found.get('hint', '')}".rstrip())
                yield found

    def _send(self, request: urllib.request.Request) -> Any:
        with self._answer(request) as answer:
            return _decode(answer.read())

    @contextmanager
    def _answer(self, request: urllib.request.Request) -> Iterator[Any]:
        for name, value in _credentials().items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            raise Refused(_message(error)) from error
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise ServerUnreachable(
                f"No Pynomaly answers at {self.url} ({reason}).",
                hint="Start one with `pynomaly up`, or say where it is with --url or PYNOMALY_URL.",
            ) from error


def _credentials() -> dict[str, str]:
    if token := os.environ.get("PYNOMALY_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if password := os.environ.get("PYNOMALY_PASSWORD"):
        pair = base64.b64encode(f"admin:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def _message(error: urllib.error.HTTPError) -> str:
    answer = _decode(error.read())
    if isinstance(answer, dict) and "error" in answer:
        return f"{answer['error']} {answer.get('hint', '')}".rstrip()
    return f"The server answered {error.code} {error.reason}: {answer or 'nothing more'}"
