"""Keeping secrets out of what is written down."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

HIDDEN = "[hidden]"

_NAMES = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|authori[sz]ation|cookie|api_?-?key"
    r"|(private|encryption|access|routing|service|signing)_?-?key|dsn$|webhook",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")
_SCHEMES = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE)

_LONGEST = 2_000
_DEEPEST = 8


def redact(value: Any, depth: int = 0) -> Any:
    """The same as JSON, without what is or may be a secret.

    Hidden is every value whose key is named like one (``password``, ``api_key``, …), every
    ``SecretStr``, the login in an address, and what follows ``Bearer`` or ``Basic``. Long texts
    are cut, and what JSON has no form for becomes text.
    """
    if isinstance(value, SecretStr) or depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            clean(str(key)): HIDDEN if _NAMES.search(str(key)) else redact(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(item, depth + 1) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON knows no NaN and no infinity
    return clean(_SCHEMES.sub(HIDDEN, _USERINFO.sub(f"{HIDDEN}@", str(value))))


def clean(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogate, not endless."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")[:_LONGEST]
