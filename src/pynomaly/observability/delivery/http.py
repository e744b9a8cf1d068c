"""One POST, and whether to try it again."""

import email.utils
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

# The server may take the same request later (OTLP and remote write name these).
_RETRYABLE = frozenset([408, 425, 429, 500, 502, 503, 504])
_SHOWN = 200


@dataclass(frozen=True)
class Answer:
    """What became of a request: ``delivered``, or else whether it is worth another try."""

    delivered: bool
    retryable: bool = False
    reason: str = ""
    retry_after: float | None = None


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """POST ``body``; ``timeout`` in seconds. Never raises for what the network or server did."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            response.read()
        return Answer(delivered=True)
    except urllib.error.HTTPError as error:
        said = error.read(_SHOWN).decode(errors="replace").strip()
        reason = f"{url} answered {error.code} {error.reason}: {said}"
        after = _retry_after(error.headers.get("Retry-After"))
        return Answer(False, error.code in _RETRYABLE, reason, after)
    except (OSError, http.client.HTTPException) as error:
        return Answer(False, True, f"{url} cannot be reached: {error}")


def checked_url(url: str, what: str) -> str:
    """The URL, if it is one of http or https; raises ValueError that names ``what``."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{what}: {url!r} is not an http(s) URL, such as http://localhost:4318")
    return url


def _retry_after(header: str | None) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: seconds or a date)."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    date = email.utils.parsedate_tz(header)
    return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None
