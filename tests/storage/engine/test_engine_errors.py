"""ClickHouse's errors become ours."""

import pytest

from pynomaly.storage.engine.contract import DiskFull, EngineBusy, EngineError, QueryCancelled
from pynomaly.storage.engine.errors import translate

CASES = [
    ("Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS)", EngineBusy, 252),
    ("Code: 241. DB::Exception: (total) memory limit (MEMORY_LIMIT_EXCEEDED)", EngineBusy, 241),
    ("Code: 202. DB::Exception: Too many simultaneous queries. (X)", EngineBusy, 202),
    ("Code: 439. DB::Exception: Cannot schedule a task (CANNOT_SCHEDULE_TASK)", EngineBusy, 439),
    ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB (NOT_ENOUGH_SPACE)", DiskFull, 243),
    (
        "Streaming insert finish failed: Code: 75. DB::ErrnoException: Cannot write to file: , "
        "errno: 28, strerror: No space left on device. (CANNOT_WRITE_TO_FILE_DESCRIPTOR)",
        DiskFull,
        75,
    ),
    ("std::exception: filesystem error: in rename: No space left on device", DiskFull, 0),
    ("Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)", QueryCancelled, 394),
    ("Code: 62. DB::Exception: Syntax error: failed at 1. (SYNTAX_ERROR)", EngineError, 62),
    ("something without a code", EngineError, 0),
]


@pytest.mark.parametrize(("text", "kind", "code"), CASES)
def test_an_error_is_told_by_code_or_words(text: str, kind: type[EngineError], code: int) -> None:
    error = translate(RuntimeError(text))
    assert type(error) is kind
    assert error.code == code


def test_a_plain_error_keeps_only_its_message() -> None:
    error = translate(RuntimeError("Code: 60. DB::Exception: No table t. (UNKNOWN_TABLE)"))
    assert str(error) == "No table t."


def test_an_error_told_twice_is_told_once() -> None:
    error = translate(RuntimeError("Code: 6. DB::Exception: Code: 6. DB::Exception: Bad. (X)"))
    assert (str(error), error.code) == ("Bad.", 6)
