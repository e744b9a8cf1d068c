"""Prometheus's durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.model.document import ConfigError, Section, load
from pynomaly.model.duration import Duration, format_duration, parse_duration


@given(st.integers(min_value=0, max_value=10**13))
def test_what_is_formatted_is_parsed_to_the_same(ms: int) -> None:
    assert round(parse_duration(format_duration(ms / 1000)) * 1000) == ms


@pytest.mark.parametrize("text", ["", "5", "m", "1m1h", "5m5m", "1.5h", "-1m", "5 m", "5M"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_number_without_unit_in_a_file_is_refused_with_its_line() -> None:
    class Example(Section):
        wait: Duration = 1.0

    assert load("wait: 2m", "x.yml", Example).wait == 120.0
    assert load("wait: 0", "x.yml", Example).wait == 0.0
    with pytest.raises(ConfigError, match=r"x\.yml:1: wait: a duration such as .*found 30"):
        load("wait: 30", "x.yml", Example)
