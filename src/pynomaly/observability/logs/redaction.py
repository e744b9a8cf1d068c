"""Secrets that must not reach a log: by the key that they stand under, and by their shape."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "[redacted]"

_KEYS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"authori[sz]ation|cookie|credentials?|session[_-]?id|dsn|jwt"
)
# The looks behind keep it linear: a run of characters is tried from its beginning only.
_SHAPES = re.compile(
    # A credential has a digit, a capital or "=" in it; "basic authentication" has none.
    r"(?P<scheme>\b(?i:bearer|basic)\s+)(?=\S*[A-Z0-9=])[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<url>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://)[^\s/:@]*:[^\s/@]+(?=@)"
    r"|(?P<pair>\b(?i:password|passwd|pwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"'&,;]+"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
# One cheap look at a text decides whether the shapes above can be in it at all.
_HINT = re.compile(r"://|=|:\s|eyJ|A[KS]IA|-----BEGIN|(?i:bearer|basic)")
_DEEPEST = 8
_OWN = frozenset(["@timestamp", "level", "logger", "service", "trace_id", "span_id"])


class Redaction:
    """A structlog processor that masks secrets in an event.

    Values under a key like ``password``, ``token`` or ``authorization`` are masked at any depth;
    texts lose bearer tokens, passwords in URLs, ``password=…`` pairs, JWTs, AWS keys and private
    keys. It knows shapes, not meanings: a secret under an innocent key in a shape of its own
    passes, so name such keys in ``keys`` (whole names, any case).
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        own = "".join(f"|{re.escape(key)}" for key in keys)
        self._key = re.compile(rf"(?:^|[_.-])(?:{_KEYS})s?$|^(?:{own[1:] or '(?!)'})$", re.I)
        self._known: dict[str, bool] = {}

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        """Mask in place of the event's values; the event is the one that structlog hands on."""
        for key, value in event.items():
            if key in _OWN:
                continue  # written by us
            if isinstance(value, str):
                if self._is_secret(key):
                    event[key] = MASK
                elif _HINT.search(value):
                    event[key] = _SHAPES.sub(_masked, value)
            elif not isinstance(value, int | float | None):
                event[key] = self._cleaned(key, value, _DEEPEST)
        return event

    def _is_secret(self, key: object) -> bool:
        name = str(key)
        known = self._known.get(name)
        if known is None:
            known = self._key.search(name) is not None
            if len(self._known) < 10_000:
                self._known[name] = known
        return known

    def _cleaned(self, key: object, value: Any, depth: int) -> Any:
        if depth == 0:
            return MASK
        if self._is_secret(key) and not isinstance(value, bool | None):
            return MASK
        if isinstance(value, str):
            return _SHAPES.sub(_masked, value)
        if isinstance(value, Mapping):
            return {k: self._cleaned(k, v, depth - 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._cleaned("", item, depth - 1) for item in value]
        return value


def _masked(found: re.Match[str]) -> str:
    kept = found["scheme"] or found["url"] or found["pair"] or ""
    return f"{kept}{MASK}"
