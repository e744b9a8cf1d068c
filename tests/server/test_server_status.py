"""Cardinality passed through from the server that keeps the series."""

from typing import Any

import pytest

from pynomaly.promql.remote_answer import Found
from pynomaly.server.status import of_peer
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.samples.cardinality import Stat


class Api:
    """A peer that gives one answer."""

    url = "http://peer:9090"

    def __init__(self, data: Any) -> None:
        self.data = data
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []

    async def get(self, path: str, parameters: list[tuple[str, str]], **_: Any) -> Found:
        self.asked.append((path, parameters))
        return Found(self.data, (), ())


class Watch:
    def refuse_if_away(self) -> None:
        pass


PROMETHEUS = {
    "headStats": {
        "numSeries": 508,
        "numLabelPairs": 372,
        "chunkCount": 937,
        "minTime": 1_591_516_800_000,
        "maxTime": 1_598_896_800_143,
    },
    "seriesCountByMetricName": [{"name": "up", "value": 3}],
    "labelValueCountByLabelName": [{"name": "job", "value": 2}],
    "memoryInBytesByLabelName": [{"name": "job", "value": 70}],
    "seriesCountByLabelValuePair": [{"name": "job=api", "value": 4}],
}
VICTORIA_METRICS = {
    "totalSeries": 12,
    "totalLabelValuePairs": 40,
    "seriesCountByMetricName": [{"name": "up", "value": 3, "requestsCount": 1}],
    "labelValueCountByLabelName": [],
    "seriesCountByLabelValuePair": None,
}


async def test_the_figures_of_a_prometheus_are_passed_through() -> None:
    api = Api(PROMETHEUS)
    status = await of_peer(api, Watch(), 5.0)(25)  # type: ignore[arg-type]
    assert api.asked == [("status/tsdb", [("limit", "25"), ("topN", "25")])]
    found = status.cardinality
    assert (found.series, found.label_pairs, status.chunks) == (508, 372, 937)
    assert (status.min_time_ms, status.max_time_ms) == (1_591_516_800_000, 1_598_896_800_143)
    assert (found.by_metric, found.by_pair) == ([Stat("up", 3)], [Stat("job=api", 4)])
    assert (found.values_by_label, found.memory_by_label) == ([Stat("job", 2)], [Stat("job", 70)])


async def test_a_peer_that_knows_no_limit_is_cut_short() -> None:
    api = Api({**PROMETHEUS, "seriesCountByMetricName": [{"name": "up", "value": 3}] * 10})
    found = await of_peer(api, Watch(), 5.0)(2)  # type: ignore[arg-type]
    assert len(found.cardinality.by_metric) == 2


async def test_what_victoria_metrics_does_not_say_is_empty() -> None:
    status = await of_peer(Api(VICTORIA_METRICS), Watch(), 5.0)(10)  # type: ignore[arg-type]
    found = status.cardinality
    assert (found.series, found.label_pairs, status.chunks) == (12, 40, 0)
    assert (found.by_metric, found.memory_by_label, found.by_pair) == ([Stat("up", 3)], [], [])


@pytest.mark.parametrize("data", ["text", [], {"seriesCountByMetricName": [{"name": "up"}]}])
async def test_an_answer_of_another_shape_is_said_to_be_broken(data: Any) -> None:
    with pytest.raises(PeerAway, match="status/tsdb"):
        await of_peer(Api(data), Watch(), 5.0)(10)  # type: ignore[arg-type]
