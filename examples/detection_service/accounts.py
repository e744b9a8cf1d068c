"""Logins: accounts with passwords, sessions with tokens, and what each role may do."""

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from detection_service.database import Account, Database
from pynomaly.observability import MetricsCollector

OPERATORS = tuple(f"operator-{number:02}" for number in range(1, 11))
ENGINEER = "engineer"

_MAY_TRAIN = frozenset({"engineer"})
_ROUNDS = 1 << 12
_FAILURES, _LOCKED_SECONDS = 10, 30.0


class LoginFailed(Exception):
    """Name or password is wrong, or there have been too many tries."""


class NotAllowed(Exception):
    """Who asks is known, and may not do that."""


@dataclass(frozen=True, slots=True)
class User:
    """Who is logged in."""

    name: str
    role: str


class Accounts:
    """Checks passwords and keeps the session of each user; a new login ends the one before."""

    def __init__(
        self,
        database: Database,
        metrics: MetricsCollector,
        password: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._security = database, metrics.security
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sessions: dict[str, User] = {}
        self._failures: dict[str, deque[float]] = {}
        metrics.business.active_sessions.set_function(lambda: len(self._sessions))
        names = {**dict.fromkeys(OPERATORS, "operator"), ENGINEER: "engineer"}
        database.add_accounts([_made(name, role, password) for name, role in names.items()])

    def log_in(self, name: str, password: str) -> str:
        """The token of a new session; raises LoginFailed."""
        if self._is_locked(name):
            raise self._failed(name, "locked")
        account = self._database.account(name)
        # An unknown name takes as long as a wrong password, so that nobody learns which it was.
        expected = account.password_hash if account else bytes(64)
        right = hmac.compare_digest(_hash(password, account.salt if account else b""), expected)
        if account is None:
            raise self._failed(name, "unknown_user")
        if not right:
            raise self._failed(name, "wrong_password")
        self._security.auth_successes.labels("password").inc()
        token = secrets.token_urlsafe()
        with self._lock:
            others = {t: user for t, user in self._sessions.items() if user.name != name}
            self._sessions = {**others, token: User(account.name, account.role)}
        return token

    def user(self, token: str) -> User:
        """Whose session it is; raises LoginFailed."""
        user = self._sessions.get(token)
        if user is None:
            self._security.auth_failures.labels("unknown_token").inc()
            raise LoginFailed("log in first")
        return user

    def may_train(self, user: User) -> None:
        """Raises NotAllowed unless the user may train models."""
        if user.role not in _MAY_TRAIN:
            self._security.denied.labels("train").inc()
            raise NotAllowed(f"{user.role}s may not train models")

    def _is_locked(self, name: str) -> bool:
        with self._lock:
            failures = self._failures.get(name)
            if failures is None:
                return False
            while failures and failures[0] < self._monotonic() - _LOCKED_SECONDS:
                failures.popleft()
            return len(failures) >= _FAILURES

    def _failed(self, name: str, reason: str) -> LoginFailed:
        self._security.auth_failures.labels(reason).inc()
        # Names that are none are not remembered: anybody could make up any number of them.
        if reason == "wrong_password":
            with self._lock:
                self._failures.setdefault(name, deque(maxlen=_FAILURES)).append(self._monotonic())
        return LoginFailed("name or password is wrong")


def _made(name: str, role: str, password: str) -> Account:
    salt = os.urandom(16)
    return Account(name=name, role=role, salt=salt, password_hash=_hash(password, salt))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_ROUNDS, r=8, p=1)
