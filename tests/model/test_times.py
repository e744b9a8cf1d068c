"""Moments as people write them."""

import pytest

from pynomaly.model.times import parse_moment

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW),
        ("30d", NOW - 30 * 86_400),
        ("now-1h30m", NOW - 5400),
        ("-15m", NOW - 900),
        ("1600000000", 1_600_000_000),
        ("1600000000.5", 1_600_000_000.5),
        ("0", 0),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14 22:13:20", NOW),
        ("2023-11-14", NOW - 80_000),
    ],
)
def test_a_moment(text: str, at: float) -> None:
    assert parse_moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "soon", "now+1h", "nan", "inf", "1h2x", "2023-13-01"])
def test_what_is_none_says_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time such as 30d, now, 2026-"):
        parse_moment(text, NOW)
