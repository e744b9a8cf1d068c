"""What can go wrong with the database, in one clear line each and never with a password."""

from typing import Any

from sqlalchemy import URL
from sqlalchemy import exc as sa_exc

from pynomaly.model.errors import PynomalyError


class RecordsError(PynomalyError):
    """The database refused or failed."""


class RecordsMisconfigured(RecordsError):
    """The address or the login cannot be right; someone must change it."""


class RecordsTooNew(RecordsError):
    """A newer Pynomaly has changed the schema; this one must not write to it."""


class RecordsUnavailable(RecordsError):
    """The database does not answer now; trying again later may help."""

    status = 503
    kind = "unavailable"


_CHECK_LOGIN = "Check the user and the password in DATABASE_URL."
_CHECK_ADDRESS = "Is it running, and is the address in DATABASE_URL right?"


def translate(error: sa_exc.DBAPIError, url: URL) -> RecordsError:
    """Say a driver's error in our words. Its own text names no password, but may be long."""
    text = _first_line(error.orig)
    if url.get_backend_name() == "sqlite":
        return _sqlite_error(text, url)
    return _postgres_error(text, url, getattr(error.orig, "sqlstate", None))


def _first_line(orig: Any) -> str:
    """The last "FATAL:" part where libpq tells of several attempts, without its prefix."""
    lines = [line.strip() for line in str(orig).splitlines() if line.strip()]
    fatal = next((line for line in lines if "FATAL:" in line), None)
    if fatal is not None:
        return fatal.split("FATAL:", 1)[1].strip()
    return lines[0] if lines else type(orig).__name__


def _postgres_error(text: str, url: URL, sqlstate: str | None) -> RecordsError:
    where = f"{url.host or 'the local socket'}:{url.port or 5432}"
    low = text.lower()
    if "authentication failed" in low or "no password supplied" in low or "role" in low:
        return RecordsMisconfigured(f"PostgreSQL at {where}: {text}.", hint=_CHECK_LOGIN)
    if "database" in low and "does not exist" in low:
        return RecordsMisconfigured(
            f"PostgreSQL at {where}: {text}.",
            hint=f"Create it with: createdb {url.database}",
        )
    if "permission denied" in low:
        return RecordsMisconfigured(
            f"PostgreSQL at {where}: {text}.",
            hint=f"The user {url.username!r} must own the database or be allowed to create in it.",
        )
    if sqlstate is None:  # no session was established, or it broke
        return RecordsUnavailable(
            f"Cannot reach PostgreSQL at {where}: {_reason(text)}.", hint=_CHECK_ADDRESS
        )
    if sqlstate[:2] in ("08", "53", "57"):  # connection, resources, operator intervention
        return RecordsUnavailable(f"PostgreSQL at {where}: {text}.")
    return RecordsError(f"PostgreSQL at {where}: {text}.")


def _reason(text: str) -> str:
    """What libpq says after its own ``connection to server at …, port … failed:``."""
    return text.rsplit("failed: ", 1)[-1].rstrip(".")


def _sqlite_error(text: str, url: URL) -> RecordsError:
    path = url.database or ":memory:"
    if "locked" in text:
        return RecordsUnavailable(
            f"{path} is locked by another process.", hint="Is another Pynomaly running on it?"
        )
    if "not a database" in text or "malformed" in text:
        return RecordsError(
            f"{path} is not a database, or is damaged: {text}.",
            hint="Restore it from a backup, or move it away to start with empty records.",
        )
    if "readonly" in text or "unable to open" in text:
        return RecordsMisconfigured(
            f"Cannot write {path}: {text}.", hint="Check the rights of the file and its folder."
        )
    if "full" in text or "disk I/O" in text:
        return RecordsUnavailable(f"Cannot write {path}: {text}.")
    return RecordsError(f"{path}: {text}.")
