"""Points in time as people and programs write them: ISO 8601, or a number since the epoch."""

from datetime import datetime

FIRST_MILLISECONDS = 1e11
"""Numbers below are seconds (this one is the year 5138), from here on milliseconds (1973)."""

FIRST_TOO_LARGE = 1e14
"""Numbers from here on are neither: microseconds, or a mistake."""


class NotAMoment(ValueError):
    """The message says what was expected."""


def from_number(number: float) -> int:
    """Milliseconds since the epoch of a number of seconds or milliseconds, told by its size.

    Raises:
        NotAMoment: too large for either, or not finite.
    """
    if abs(number) < FIRST_MILLISECONDS:
        return round(number * 1000)
    if abs(number) < FIRST_TOO_LARGE:
        return round(number)
    raise NotAMoment(f"{number} is neither seconds nor milliseconds since 1970")


def from_iso(text: str) -> int:
    """Milliseconds since the epoch of ISO 8601 with ``Z`` or an offset.

    Raises:
        NotAMoment: another form, or without a time zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotAMoment(
            f"expected ISO 8601, such as 2025-06-30T12:00:00Z, found {text[:80]!r}"
        ) from None
    if at.tzinfo is None:
        raise NotAMoment(f"{text!r} has no time zone; add Z or an offset")
    return round(at.timestamp() * 1000)
