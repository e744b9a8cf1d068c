"""Moments as people write them."""

import math
from datetime import UTC, datetime

from pynomaly.model.duration import parse_duration


def parse_moment(text: str, now: float) -> float:
    """Epoch seconds of ``now``, ``30d`` (so long ago), ``now-30d``, epoch seconds or RFC 3339.

    A date or time without a zone is UTC.

    >>> parse_moment("1h", 10_000), parse_moment("now", 5.5), parse_moment("1970-01-02", 0)
    (6400.0, 5.5, 86400.0)

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    if text == "now":
        return now
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds):
            return seconds
    try:
        return now - parse_duration(text.removeprefix("now").removeprefix("-"))
    except ValueError:
        return _of_date(text)


def utc(at: float) -> str:
    """Epoch seconds as people and machines read them, to the second.

    >>> utc(1_700_000_000.6)
    '2023-11-14T22:13:20Z'
    """
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "Z"


def _of_date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is not a time such as 30d, now, 2026-01-31T12:00:00Z or epoch seconds"
        raise ValueError(message) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
