"""Values as ``alertmanager.yml`` writes them: texts, secrets, addresses, Go's durations."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from pynomaly.ingest.scrape.values import Text as Text

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_HOST_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>[^:]+)")


def _secret(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("an address that begins with http:// or https:// is expected")
    if not parts.hostname:
        raise ValueError("the address lacks a host")
    return url


def _secret_url(url: SecretStr) -> SecretStr:
    try:
        _http_url(url.get_secret_value())
    except ValueError as error:  # urlsplit's own errors show parts of the address
        raise ValueError("an address such as https://example.com/hook is expected") from error
    return url


def _templated_url(url: SecretStr) -> SecretStr:
    return url if "{{" in url.get_secret_value() else _secret_url(url)


def go_duration(value: Any) -> float:
    """Seconds of Go's duration: ``1m30s``, ``1.5s``, ``0``; a float is seconds already.

    Raises:
        ValueError: another form, or less than nothing.
    """
    if isinstance(value, float) and value >= 0:
        return value
    text = str(value) if isinstance(value, str | int) else ""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not text or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("a duration such as 10s or 1m30s is expected, with its unit")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def host_and_port(address: str) -> tuple[str, str]:
    """The parts of ``host:port`` or ``[::1]:port``; both empty for an empty text.

    Raises:
        ValueError: there is no port.
    """
    if not address:
        return "", ""
    found = _HOST_PORT.fullmatch(address)
    if found is None:
        raise ValueError("host:port is expected, such as smtp.example.com:587")
    return found["host"].strip("[]"), found["port"]


def _checked_host_port(address: str) -> str:
    host_and_port(address)
    return address


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""A secret; digits may be written without quotes."""

Url = Annotated[str, AfterValidator(_http_url)]
"""An address that may be shown."""

SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
"""An address that holds a secret."""

SecretTemplateUrl = Annotated[SecretStr, AfterValidator(_templated_url)]
"""An address that holds a secret, or a template of one."""

GoDuration = Annotated[float, BeforeValidator(go_duration)]
"""A duration in Go's form, held as seconds."""

HostPort = Annotated[Text, AfterValidator(_checked_host_port)]
"""``host:port``, or nothing."""
