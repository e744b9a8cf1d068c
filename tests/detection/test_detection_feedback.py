"""What people say of anomalies has effect."""

from dataclasses import replace

import pytest

from pynomaly.detection.events import Feedback, NoSuchAnomaly
from pynomaly.detection.feedback import (
    LASTS,
    FeedbackKeeper,
    Handicaps,
    false_positive_ratios,
    handicaps,
)
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.service import TOPIC
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records
from pynomaly.storage.samples.memory import MemorySamples
from tests.detection.found_anomaly import anomaly

NOW = 1_700_000_000.0


def test_each_false_alarm_raises_the_bar_of_its_series_by_a_decade_up_to_three() -> None:
    once, often = Labels({"__name__": "cpu", "a": "1"}), Labels({"__name__": "cpu", "a": "2"})
    judged = [anomaly(1, "false", a="1"), *(anomaly(at, "false", a="2") for at in range(9))]
    assert handicaps(judged) == {once: 1.0, often: 3.0}


def test_a_real_anomaly_takes_a_false_alarm_back_and_none_makes_it_easier() -> None:
    assert handicaps([anomaly(1, "false"), anomaly(2, "real")]) == {}
    assert handicaps([anomaly(1, "real")]) == {}


def test_the_share_of_false_alarms_is_by_service() -> None:
    judged = [
        anomaly(1, "false", job="api"),
        anomaly(2, "real", job="api"),
        anomaly(3, "real", job="db"),
        anomaly(4, "false"),
    ]
    assert false_positive_ratios(judged) == {"api": 0.5, "db": 0.0, "": 1.0}


class Desk:
    """Where feedback is kept, and the handicaps that were applied last."""

    def __init__(self, records: Records) -> None:
        self.clock = FakeClock(NOW)
        self.anomalies = AnomalyRepository(records)
        self.bus = Bus(self.clock)
        self.samples = MemorySamples()
        self.applied: Handicaps = {}
        self.keeper = FeedbackKeeper(self.anomalies, self.clock, self.bus, self.samples, self.apply)

    def apply(self, decades: Handicaps) -> None:
        self.applied = decades


@pytest.fixture
def desk(records: Records) -> Desk:
    return Desk(records)


async def test_what_is_said_counts_at_once_and_pages_are_told(desk: Desk) -> None:
    one = anomaly(NOW - 60)
    desk.anomalies.save([one])
    with desk.bus.subscribe([TOPIC]) as told:
        said = await desk.keeper.say(one.id, Feedback.FALSE)
        message = await told.next()
    assert said == replace(one, feedback="false")
    assert desk.applied == {one.labels: 1.0}
    assert message is not None
    assert message.data == {"anomalies": [one.id]}
    await desk.keeper.say(one.id, Feedback.REAL)  # a second thought
    assert desk.applied == {}


async def test_what_was_said_counts_after_a_restart_and_for_thirty_days(desk: Desk) -> None:
    one = anomaly(NOW - 60)
    desk.anomalies.save([one])
    desk.anomalies.judge(one.id, "false")
    await desk.keeper.take_up()
    assert desk.applied == {one.labels: 1.0}
    desk.clock = FakeClock(NOW + LASTS)
    desk.keeper._clock = desk.clock
    await desk.keeper.take_up()
    assert desk.applied == {}


async def test_the_share_of_false_alarms_is_a_series(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[SampleBatch] = []

    async def append(batch: SampleBatch) -> None:
        written.append(batch)

    monkeypatch.setattr(desk.samples, "append", append)
    await desk.keeper.write(NOW)
    assert written == []  # nobody said anything
    rows = [anomaly(NOW - 60, job="api"), anomaly(NOW - 50, job="api")]
    desk.anomalies.save(rows)
    desk.anomalies.judge(rows[0].id, "false")
    desk.anomalies.judge(rows[1].id, "real")
    await desk.keeper.write(NOW)
    (batch,) = written
    assert [str(each) for each in batch.labels.values()] == [
        'anomaly_false_positive_ratio{service="api"}'
    ]
    assert (batch.values.tolist(), batch.ts.tolist()) == ([0.5], [round(NOW * 1000)])


async def test_nothing_can_be_said_of_what_is_not_there(desk: Desk) -> None:
    with pytest.raises(NoSuchAnomaly, match="no anomaly nothing"):
        await desk.keeper.say("nothing", Feedback.REAL)
