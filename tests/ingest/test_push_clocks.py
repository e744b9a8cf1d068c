"""What a request says of its sender's clock."""

import pytest

from pynomaly.ingest.push import Outcome, PushDeps, PushLimits, store
from pynomaly.model.clock import FakeClock, now_ms
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.observability import REGISTRY
from pynomaly.storage.samples.memory import MemorySamples


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("ahead", "age", "counted"), [(-90.0, 90.0, 0), (0.0, 0.0, 0), (4.0, 0.0, 0), (30.0, 0.0, 1)]
)
async def test_the_newest_sample_says_how_far_a_sender_lags_or_runs_ahead(
    ahead: float, age: float, counted: int
) -> None:
    clock = FakeClock()
    deps = PushDeps(MemorySamples(), clock, PushLimits())
    protocol = f"clock_{ahead:g}"
    at = now_ms(clock) + round(ahead * 1000)
    series = Labels({"__name__": "x"})
    outcome = Outcome()
    await store(SampleBatch.of([(series, at - 60_000, 1.0), (series, at, 2.0)]), deps, outcome)
    outcome.count(protocol)
    assert value("pynomaly_push_sample_age_seconds_sum", protocol=protocol) == pytest.approx(age)
    assert value("pynomaly_push_sample_age_seconds_count", protocol=protocol) == 1
    assert value("pynomaly_push_ahead_requests_total", protocol=protocol) == counted
