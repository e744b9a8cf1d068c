"""Quantiles of histograms: Prometheus's values, made when enough was counted."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.histograms import LONGEST_MS, QUANTILES, Histograms, quantiles
from pynomaly.detection.service import Judge
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples
from pynomaly.promql.contract import Matrix
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, float("inf"))
Rows = list[tuple[Labels, int, float]]


def bucket(le: float, name: str = "took_seconds", **labels: str) -> Labels:
    text = "+Inf" if le == float("inf") else str(le)
    return Labels({"__name__": f"{name}_bucket", "le": text, **labels})


class Service:
    """A histogram that counts what takes times of a lognormal distribution."""

    def __init__(self, seed: int = 1, **labels: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.labels = labels
        self.total = np.zeros(len(BOUNDS))

    def serve(self, requests: int, median: float = 0.3) -> None:
        took = self.rng.lognormal(np.log(median), 0.5, size=requests)
        self.total += (took[:, np.newaxis] <= np.array(BOUNDS)).sum(axis=0)

    def rows(self, ms: int) -> Rows:
        return [
            (bucket(le, **self.labels), ms, float(count))
            for le, count in zip(BOUNDS, self.total, strict=True)
        ]


def samples(rows: Rows) -> SeriesSamples:
    return SeriesSamples(
        [labels for labels, _, _ in rows],
        np.arange(len(rows) + 1),
        np.array([ms for _, ms, _ in rows], dtype=np.int64),
        np.array([value for _, _, value in rows]),
    )


def told(points: SeriesSamples) -> dict[str, float]:
    return {
        labels["quantile"]: float(value)
        for labels, value in zip(points.labels, points.values, strict=True)
    }


def promql(bounds: np.ndarray, counts: np.ndarray, quantile: float) -> float:
    """By the product's PromQL, which is held against Prometheus's own."""
    store = MemorySamples()
    rows = [
        (bucket(float(le)), 1000, float(count)) for le, count in zip(bounds, counts, strict=True)
    ]

    async def ask() -> float:
        await store.append(SampleBatch.of(rows))
        querier = LocalQuerier(store, ThreadPoolExecutor(1))
        found = await querier.instant(f"histogram_quantile({quantile}, took_seconds_bucket)", 1000)
        assert isinstance(found.value, Matrix)
        return float(found.value.values[0, 0])

    return asyncio.run(ask())


@pytest.mark.parametrize("seed", range(12))
def test_quantiles_of_many_histograms_are_those_of_promql_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width = int(rng.integers(2, 9))
    finite = np.sort(rng.normal(scale=3, size=(5, width - 1)).round(2), axis=1)
    finite += np.arange(width - 1) * 0.01  # no two alike
    bounds = np.concatenate([finite, np.full((5, 1), np.inf)], axis=1)
    counts = np.cumsum(rng.poisson(2, size=(5, width)), axis=1).astype(float)
    for quantile in QUANTILES:
        ours = quantiles(quantile, bounds, counts)
        theirs = [promql(b, c, quantile) for b, c in zip(bounds, counts, strict=True)]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_a_quantile_is_made_once_enough_was_counted() -> None:
    service, histograms = Service(job="shop"), Histograms(100)
    assert len(histograms.points(samples(service.rows(0)))) == 0
    seen: dict[str, int] = {}
    for n in range(1, 31):
        service.serve(20)
        points = histograms.points(samples(service.rows(30_000 * n)))
        for quantile in told(points):
            seen[quantile] = seen.get(quantile, 0) + 1
    assert seen == {"0.5": 30, "0.95": 6, "0.99": 1}
    (first, *_) = points.labels
    assert str(first) == 'took_seconds{job="shop", quantile="0.5"}'


def test_the_quantiles_are_of_what_was_counted_since_the_last_point() -> None:
    service, histograms = Service(), Histograms(100)
    histograms.points(samples(service.rows(0)))
    service.serve(10_000, median=0.3)
    usual = told(histograms.points(samples(service.rows(30_000))))
    assert abs(usual["0.5"] - 0.3) < 0.05
    service.serve(1000, median=1.5)
    assert abs(told(histograms.points(samples(service.rows(60_000))))["0.5"] - 1.5) < 0.3


def test_what_is_counted_rarely_is_not_put_together_over_hours() -> None:
    service, histograms = Service(), Histograms(100)
    histograms.points(samples(service.rows(0)))
    for n in range(1, 40):
        service.serve(10)
        assert told(histograms.points(samples(service.rows((LONGEST_MS + 1) * n)))) == {}


def test_a_restart_counts_from_nothing() -> None:
    service, histograms = Service(), Histograms(100)
    service.serve(5000, median=2.0)
    histograms.points(samples(service.rows(0)))
    service.total[:] = 0
    service.serve(1000, median=0.3)
    found = told(histograms.points(samples(service.rows(30_000))))
    assert abs(found["0.5"] - 0.3) < 0.05


def test_histograms_do_not_mix_and_what_is_no_bucket_is_passed_over() -> None:
    fast, slow, histograms = Service(1, path="/a"), Service(2, path="/b"), Histograms(100)
    odd = [
        (Labels({"__name__": "odd_bucket", "le": "wide"}), 0, 1.0),
        (bucket(1.0, "sum", quantile="0.5"), 0, 1.0),
        (bucket(1.0, "gone"), 0, float(STALE)),
    ]
    histograms.points(samples([*fast.rows(0), *slow.rows(0), *odd]))
    fast.serve(1000, median=0.2)
    slow.serve(1000, median=0.8)
    points = histograms.points(samples([*slow.rows(30_000), *fast.rows(30_000)]))
    median = {
        labels["path"]: value
        for labels, value in zip(points.labels, points.values, strict=True)
        if labels["quantile"] == "0.5"
    }
    assert abs(median["/a"] - 0.2) < 0.05
    assert abs(median["/b"] - 0.8) < 0.15


def test_no_more_buckets_are_followed_than_allowed_and_gone_ones_make_room() -> None:
    histograms = Histograms(len(BOUNDS))
    old, new = Service(1, pod="a"), Service(2, pod="b")
    for n, service in enumerate((old, new, new)):
        service.serve(1000)
        histograms.points(samples(service.rows(30_000 * n + 1)))
    assert told(histograms.points(samples(new.rows(90_000)))) == {}  # there was no room
    histograms.forget(60_000)
    histograms.points(samples(new.rows(120_000)))
    new.serve(1000)
    assert set(told(histograms.points(samples(new.rows(150_000))))) == {"0.5", "0.95", "0.99"}


async def test_the_judge_tells_that_requests_take_longer_by_their_quantiles() -> None:
    store, service = MemorySamples(), Service(job="shop")
    querier = LocalQuerier(store, ThreadPoolExecutor(1))
    judge = Judge(querier, store, DetectionSettings(min_points=48, floor=0))
    now = 1_700_000_010
    for n in range(200):
        now += 30
        service.serve(600, median=0.3 if n < 194 else 1.5)
        await store.append(SampleBatch.of(service.rows(now * 1000)))
        if n >= 190:
            await judge(now)
        if n == 192:
            before = await _scores(querier, now)
    after = await _scores(querier, now)
    assert set(before) == {"0.5", "0.95", "0.99"}
    assert max(before.values()) < 0.55
    assert max(after.values()) > 0.6


async def _scores(querier: LocalQuerier, now: int) -> dict[str, float]:
    found = await querier.instant('anomaly_score{of="took_seconds"}', now * 1000)
    assert isinstance(found.value, Matrix)
    return {
        labels["quantile"]: float(value)
        for labels, value in zip(found.value.labels, found.value.values[:, 0], strict=True)
    }
