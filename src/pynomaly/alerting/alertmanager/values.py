"""Values of ``alertmanager.yml`` that several sections hold."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, InstanceOf, SecretStr

from pynomaly.alerting.alertmanager.matchers import new_matcher, parse_matchers
from pynomaly.model.matcher import Matcher, MatchOp

HIDDEN = "<secret>"
"""What Alertmanager's API shows in place of a secret."""


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("an address that begins with http:// or https:// is expected")
    if not parts.netloc:
        raise ValueError("the address has no host")
    return text


def _secret_address(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != HIDDEN:
        _web_address(value.get_secret_value())
    return value


def _host_and_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if text and (not colon or not port or bare):
        raise ValueError("a host and a port, as in mail.example.com:587, are expected")
    return text


def _label_name(name: str) -> str:
    if not name:
        raise ValueError("a label's name is expected, found an empty text")
    return name


def _classic_label_name(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise ValueError(
            f"{name!r} is not a label's name of letters, digits and _; other names need `matchers`"
        )
    return name


def _regex(pattern: str) -> str:
    new_matcher("", MatchOp.REGEX, pattern)
    return pattern


def _matchers(line: object) -> object:
    return parse_matchers(line) if isinstance(line, str) else line


Url = Annotated[str, AfterValidator(_web_address)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_address)]
HostPort = Annotated[str, AfterValidator(_host_and_port)]
LabelName = Annotated[str, AfterValidator(_label_name)]
ClassicLabelName = Annotated[str, AfterValidator(_classic_label_name)]
Regex = Annotated[str, AfterValidator(_regex)]

MatchersLine = Annotated[tuple[InstanceOf[Matcher], ...], BeforeValidator(_matchers)]
"""One entry of a list of ``matchers``: it may hold several, with commas between."""
