"""What is drawn of an anomaly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pynomaly.detection.events import Anomaly
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Matrix
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples
from pynomaly.web.anomaly_charts import chart_queries, only

REQUESTS = Labels({"__name__": "requests_total", "job": "shop"})
ONE = Anomaly("1", REQUESTS, 1.0, 1.0, 0.0, 0.7, 0.9, 9, 5, 4, 6, "above", "level")


def test_a_series_of_the_judge_is_drawn_with_the_judges_band() -> None:
    series, expected, lower, upper = [each["expr"] for each in chart_queries(ONE)]
    assert series == 'rate({__name__="requests_total", job="shop"}[$__rate_interval])'
    assert expected == '{__name__="anomaly_expected", job="shop", of="requests_total"}'
    assert "anomaly_lower" in lower
    assert "anomaly_upper" in upper


def test_the_band_of_a_trained_model_is_that_of_its_query_and_algorithm() -> None:
    cause = "level+seasonal/residual"
    found = chart_queries(
        replace(ONE, cause=cause, watched="shop", expr="rate(requests_total[5m])")
    )
    assert found[0]["expr"] == chart_queries(ONE)[0]["expr"]
    band = '{__name__="anomaly_expected", algorithm="seasonal", job="shop", of="shop"}'
    assert found[1]["expr"] == band


def test_of_an_expressions_series_that_of_the_anomaly_is_drawn() -> None:
    labels = Labels({"__name__": "share", "job": "shop"})
    made = replace(ONE, labels=labels, cause="seasonal/residual", watched="share", expr="sum(up)")
    assert chart_queries(made)[0]["expr"].startswith("(sum(up)) and on (job) label_replace")


async def test_what_is_drawn_is_that_series_alone() -> None:
    samples = MemorySamples()
    strange = 'a$1"b'
    jobs = ("shop", strange)
    rows = [(Labels({"__name__": "up", "job": job, "n": "1"}), 1000, 1.0) for job in jobs]
    await samples.append(SampleBatch.of(rows))
    querier = LocalQuerier(samples, ThreadPoolExecutor(1))
    expr = only("sum by (job) (up)", Labels({"__name__": "share", "job": strange}))
    found = await querier.instant(expr, 1000)
    assert isinstance(found.value, Matrix)
    assert [each["job"] for each in found.value.labels] == [strange]


async def test_a_quantile_that_is_not_stored_is_drawn_from_its_buckets() -> None:
    labels = Labels({"__name__": "took_seconds", "job": "shop", "quantile": "0.95"})
    expr = chart_queries(replace(ONE, labels=labels))[0]["expr"]
    samples = MemorySamples()
    rows = [
        (Labels({"__name__": "took_seconds_bucket", "job": job, "le": le}), at, count * at / 1000)
        for job in ("shop", "other")
        for le, count in (("1", 10.0), ("2", 20.0), ("+Inf", 20.0))
        for at in (1_000, 31_000, 61_000)
    ]
    await samples.append(SampleBatch.of(rows))
    querier = LocalQuerier(samples, ThreadPoolExecutor(1))

    async def drawn() -> list[float]:
        found = await querier.instant(expr.replace("$__rate_interval", "2m"), 61_000)
        assert isinstance(found.value, Matrix)
        return [round(value, 6) for value in found.value.values[:, 0].tolist()]

    assert await drawn() == [1.9]
    await samples.append(SampleBatch.of([(labels, 61_000, 7.0)]))
    assert await drawn() == [7.0]
