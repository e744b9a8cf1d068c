"""Errors of the embedded engine, and the one place that translates ClickHouse's."""

import re

from pynomaly.model.errors import PynomalyError
from pynomaly.storage.engine.contract import DiskFull, EngineBusy, EngineError, QueryCancelled


class DataFolderLocked(PynomalyError):
    """Another process works in the data folder; one process owns it."""

    kind = "data_folder_locked"


class DataFolderUnusable(PynomalyError):
    """The data folder cannot be made, read or written, or is of a newer version."""

    kind = "data_folder_unusable"


# Numbers of ClickHouse's src/Common/ErrorCodes.cpp.
_MEMORY_LIMIT_EXCEEDED = 241
_BUSY_CODES = frozenset({252, 202, _MEMORY_LIMIT_EXCEEDED, 439})
_FULL_CODES = frozenset({243})
_CANCELLED_CODES = frozenset({394, 734, 236})
# Errors of the file system come under several codes; the system's own words tell.
_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "errno: 28", "errno: 122")

_CODE = re.compile(r"(?:Code: (\d+)\. DB::\w*Exception: )+")
_KIND = re.compile(r" \([A-Z_0-9]+\)$")


def translate(error: BaseException) -> EngineError:
    """The engine's error as one of ours: cancelled, disk full, busy, or plain."""
    text = str(error).strip()
    found = _CODE.search(text)
    code = int(found.group(1)) if found else 0
    message = _KIND.sub("", text[found.end() :] if found else text)
    if code in _FULL_CODES or any(words in text for words in _FULL_WORDS):
        return DiskFull("The disk is full; nothing can be stored.", code, hint="Free some space.")
    if code in _CANCELLED_CODES:
        return QueryCancelled("The query was cancelled.", code)
    if code == _MEMORY_LIMIT_EXCEEDED:
        return EngineBusy(
            f"The engine is out of memory: {message}", code, hint="Ask for less at once."
        )
    if code in _BUSY_CODES:
        return EngineBusy(f"The engine has fallen behind: {message}", code, hint="Try again later.")
    return EngineError(message, code)
