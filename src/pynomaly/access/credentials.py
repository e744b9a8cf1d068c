"""Tokens and passwords, compared in constant time."""

import base64
import binascii
import hashlib
import hmac

from pynomaly.access.config import AccessSettings
from pynomaly.access.policy import Principal, PrincipalKind, Role

_ADMIN = frozenset({Role.ADMIN})


class Credentials:
    """Holds digests only, so that no dump of it shows a secret and lengths do not tell."""

    def __init__(self, settings: AccessSettings) -> None:
        """Read the secrets.

        Raises:
            InsecureBinding: a secret's file cannot be read.
        """
        self._token = _digest(settings.read_token())
        self._user = _digest(settings.username)
        self._password = _digest(settings.read_password())
        self._by_token = Principal("token", PrincipalKind.TOKEN, _ADMIN)
        self._by_password = Principal(settings.username, PrincipalKind.PASSWORD, _ADMIN)
        self.has_token = bool(settings.read_token())
        self.has_password = bool(settings.read_password())

    def verify(self, authorization: str) -> Principal | None:
        """Who an ``Authorization`` header proves to be; None if it proves nobody."""
        scheme, _, value = authorization.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                return self._by_token if self._is_token(value.strip()) else None
            case "basic":
                return self._by_password if self._is_login(value.strip()) else None
        return None

    def _is_token(self, value: str) -> bool:
        return self.has_token and hmac.compare_digest(_digest(value), self._token)

    def _is_login(self, value: str) -> bool:
        try:
            user, separator, password = base64.b64decode(value, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        # Both are compared in any case: how long it takes does not tell which was wrong.
        same_user = hmac.compare_digest(_digest(user), self._user)
        same_password = hmac.compare_digest(_digest(password), self._password)
        return bool(separator) and self.has_password and same_user and same_password


def _digest(secret: str | bytes) -> bytes:
    raw = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
    return hashlib.sha256(raw).digest()
