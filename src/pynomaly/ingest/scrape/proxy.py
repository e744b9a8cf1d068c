"""What the proxy settings of a client say."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def proxy_headers(given: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The headers of ``proxy_connect_header``; None if there is none."""
    return {name: ",".join(_texts(values)) for name, values in (given or {}).items()} or None


def bypassed(url: str, no_proxy: str) -> bool:
    """Whether ``no_proxy``, names and networks between commas, exempts an address.

    >>> bypassed("http://a.example.com/", "example.com"), bypassed("http://10.1.2.3/", "10.0.0.0/8")
    (True, True)
    """
    host = (urlsplit(url).hostname or "").lower()
    return any(_exempts(rule.strip().lower(), host) for rule in no_proxy.split(",") if rule.strip())


def _exempts(rule: str, host: str) -> bool:
    if rule == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        name = rule.removeprefix("*").rsplit(":", 1)[0]
        return host == name or host.endswith("." + name.removeprefix("."))


def _texts(values: object) -> list[str]:
    if isinstance(values, Mapping):
        return [text for part in values.values() for text in _texts(part)]
    return [str(value) for value in values] if isinstance(values, list) else [str(values)]
