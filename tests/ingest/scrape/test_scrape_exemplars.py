"""Exemplars of a scraped body go with their series; the fast way gives what a parse gives."""

import random
from typing import Any

import pytest

from pynomaly.ingest.scrape.config import ScrapeConfig
from pynomaly.ingest.scrape.errors import ScrapeError
from pynomaly.ingest.scrape.series import Scraped, TargetSeries
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels

NOW_MS = 1_700_000_000_000
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TARGET = Labels({"job": "app", "instance": "i:1"})


def target(*, strict: bool = False, **job: Any) -> TargetSeries:
    config = ScrapeConfig.model_validate({"job_name": "app", **job})
    return TargetSeries(config, TARGET, strict_openmetrics=strict)


def read(series: TargetSeries, lines: str, now_ms: int = NOW_MS) -> Scraped:
    return series.read(f"{lines}# EOF\n".encode(), OPENMETRICS, now_ms)


def told(scraped: Scraped) -> list[tuple[str, Exemplar]]:
    return [(str(scraped.labels[i]), exemplar) for i, exemplar in scraped.exemplars]


def values(scraped: Scraped) -> dict[str, float]:
    ids, numbers = scraped.ids.tolist(), scraped.values.tolist()
    return {str(scraped.labels[i]): v for i, v in zip(ids, numbers, strict=True)}


def test_an_exemplar_has_its_own_time_or_that_of_its_sample() -> None:
    lines = (
        "# TYPE a counter\n"
        'a_total{n="1"} 1 # {trace_id="x"} 0.5 1600000000.5\n'
        'a_total{n="2"} 1 # {} 0.25\n'
        'a_total{n="3"} 1 1650000000 # {} 4\n'
    )
    own = 'a_total{instance="i:1", job="app", n="%s"}'
    expected = [
        (own % 1, Exemplar(Labels({"trace_id": "x"}), 0.5, 1_600_000_000_500)),
        (own % 2, Exemplar(Labels(), 0.25, NOW_MS, timed=False)),
        (own % 3, Exemplar(Labels(), 4.0, 1_650_000_000_000, timed=False)),
    ]
    assert told(read(target(), lines)) == expected
    at_scrape = Exemplar(Labels(), 4.0, NOW_MS, timed=False)
    ours = told(read(target(honor_timestamps=False), lines))
    assert ours == [*expected[:2], (own % 3, at_scrape)]


def test_those_of_dropped_series_are_dropped() -> None:
    drop = [{"source_labels": ["n"], "regex": "1", "action": "drop"}]
    series = target(metric_relabel_configs=drop)
    for moment in range(3):
        lines = f'a{{n="1"}} {moment} # {{}} 1\na{{n="2"}} 1 # {{}} 2\n'
        scraped = read(series, lines)
        assert [exemplar.value for _, exemplar in scraped.exemplars] == [2.0]
        assert scraped.in_full == (moment == 0)


def exposed(chance: random.Random) -> str:
    tails = (
        "",
        "",
        ' # {trace_id="a"} 1 1700000000.25',
        f' # {{trace_id="{chance.random()}"}} 1',
        " # {} +Inf",
        ' # {a=" # {",b="\\" # "} 2',
    )
    lines = [f'h_bucket{{le="{i}"}} {chance.randrange(9)}{chance.choice(tails)}' for i in range(4)]
    odd = ['x{y="z # {} 1"} 1', "x 1", 'x{y=" # {}"} 1 # {} 3']
    return "\n".join(["# HELP h See # {} 1", *lines, chance.choice(odd)]) + "\n"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strict", [False, True])
def test_any_sequence_of_bodies_gives_what_a_first_body_gives(seed: int, strict: bool) -> None:
    chance, series, steady = random.Random(seed), target(strict=strict), 0
    for _ in range(100):
        lines = exposed(chance)
        try:
            expected = read(target(strict=strict), lines)
        except ScrapeError:
            with pytest.raises(ScrapeError):
                read(series, lines)
            continue
        found = read(series, lines)
        assert told(found) == told(expected)
        assert values(found) == values(expected)
        steady += not found.in_full
    assert steady or strict


@pytest.mark.parametrize(
    "tail", [" # {", ' # {a="b} 1', ' # {a="1",a="2"} 1', " # {} x", " # {} 1 NaN", " # {} 1 2 3"]
)
def test_a_broken_exemplar_is_an_error_of_the_scrape_also_later(tail: str) -> None:
    series = target()
    for _ in range(2):
        read(series, "a 1 # {} 1\n")
    with pytest.raises(ScrapeError, match="line 1"):
        read(series, f"a 1{tail}\n")


def test_another_format_has_none() -> None:
    body = b"a 1 # {} 1\n"
    with pytest.raises(ScrapeError):
        target().read(body, "text/plain; version=0.0.4", NOW_MS)
