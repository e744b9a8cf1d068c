"""What lasts and is told, as a series for alert rules."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.events import Anomaly
from pynomaly.detection.service import Judge
from pynomaly.detection.told_events import ToldEvents, event_series
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Matrix
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples
from tests.detection.found_anomaly import anomaly

AT = 1_700_000_010.0
STEP = 30.0


class Log:
    """The log of anomalies, in memory, by id."""

    def __init__(self, *anomalies: Anomaly) -> None:
        self.kept = {each.id: each for each in anomalies}

    def save(self, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        self.kept |= {each.id: each for each in anomalies}
        return anomalies

    def open(self) -> list[Anomaly]:
        return [each for each in self.kept.values() if not each.ended_at]


async def answer(samples: MemorySamples, expr: str, at: float) -> dict[Labels, float]:
    querier = LocalQuerier(samples, ThreadPoolExecutor(1))
    found = (await querier.instant(expr, round(at * 1000))).value
    assert isinstance(found, Matrix)
    return dict(zip(found.labels, found.values[:, 0].tolist(), strict=True))


async def test_what_the_judge_tells_is_a_series_until_the_anomaly_is_over() -> None:
    samples, log, rng = MemorySamples(), Log(), np.random.default_rng(11)
    settings = DetectionSettings.model_validate({"min_points": 48})
    querier = LocalQuerier(samples, ThreadPoolExecutor(1))
    judge, told = Judge(querier, samples, settings, anomalies=log), ToldEvents(log, samples)
    shop = Labels({"__name__": "cpu_usage", "pod": "shop-1", "severity": "gold"})
    now = AT

    async def run(rounds: int, value: float) -> None:
        nonlocal now
        for _ in range(rounds):
            now += STEP
            row = (shop, round(now * 1000), value + float(rng.normal()))
            await samples.append(SampleBatch.of([row]))
            await judge(now)
            await told.write(now)

    await run(150, 75.0)
    assert not await answer(samples, "anomaly_event", now)

    await run(2, 1000.0)
    (lasting,) = log.open()
    found = await answer(samples, 'anomaly_event{of="cpu_usage",pod="shop-1"}', now)
    assert found == {event_series(lasting): lasting.score}
    (labels,) = found
    assert (labels["severity"], labels["exported_severity"]) == (lasting.severity, "gold")

    await run(150, 75.0)
    assert not log.open()
    assert not await answer(samples, "anomaly_event", now)


async def test_what_is_untold_or_marked_false_is_not_written_and_ends_at_once() -> None:
    one, untold = anomaly(AT, pod="a"), replace(anomaly(AT, pod="b"), told=False)
    samples, log = MemorySamples(), Log(one, untold)
    told = ToldEvents(log, samples)

    await told.write(AT)
    assert set(await answer(samples, "anomaly_event", AT)) == {event_series(one)}

    log.save([replace(one, feedback="false")])
    await told.write(AT + 5)
    assert not await answer(samples, "anomaly_event", AT + 5)


async def test_a_graver_event_is_another_series_and_ends_the_milder_one() -> None:
    one = anomaly(AT)
    samples, log = MemorySamples(), Log(one)
    told = ToldEvents(log, samples)
    await told.write(AT)
    log.save([replace(one, score=0.9)])
    await told.write(AT + 5)
    found = await answer(samples, "anomaly_event", AT + 5)
    assert [(each["severity"], score) for each, score in found.items()] == [("critical", 0.9)]
