"""What happened before an anomaly began."""

from dataclasses import replace

import pytest

from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matchers
from pynomaly.detection.preceding import in_words, preceding
from pynomaly.model.labels import Labels

AT = 1_700_000_000.0
SHOP = Labels({"__name__": "latency", "service": "shop"})
ROLLOUT = Event(
    EventKind.DEPLOYMENT, "shop 1.42", 0.0, 0.0, matchers=parse_matchers(["service=shop"])
)


def before(seconds: float, event: Event = ROLLOUT, lasts: float = 0.0) -> Occurrence:
    begin = AT - seconds
    placed = replace(event, starts_at=begin, ends_at=begin + lasts, id=f"{seconds:.0f}")
    return Occurrence(placed, begin, begin + lasts)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (30, "30s after deployment shop 1.42"),
        (485, "8m after deployment shop 1.42"),
        (3600, "1h after deployment shop 1.42"),
    ],
)
def test_it_is_said_how_long_after_what_it_began(seconds: float, said: str) -> None:
    assert in_words(preceding([before(seconds)], [SHOP], AT)) == f" It began {said}."


def test_what_is_older_later_or_concerns_others_is_not_named() -> None:
    other = replace(ROLLOUT, matchers=parse_matchers(["service=search"]))
    found = [before(3601), before(-1), before(60, other)]
    assert preceding(found, [SHOP], AT) == []
    assert in_words([]) == ""


def test_what_lasts_is_named_however_old_it_is() -> None:
    window = replace(ROLLOUT, kind=EventKind.MAINTENANCE, title="upkeep", matchers=())
    day_off = replace(window, kind=EventKind.HOLIDAY, title="Christmas Day")
    found = preceding([before(7000, day_off, 86_400), before(5000, window, 9000)], [SHOP], AT)
    assert in_words(found) == " It began during maintenance upkeep, on Christmas Day."


def test_one_series_of_several_is_enough_and_the_latest_comes_first() -> None:
    found = preceding([before(n * 60) for n in range(9, 0, -1)], [Labels({"job": "x"}), SHOP], AT)
    assert [each.seconds for each in found] == [60, 120, 180, 240, 300]
