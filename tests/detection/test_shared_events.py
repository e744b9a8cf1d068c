"""One event of a series that several found."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from found_anomaly import anomaly

from pynomaly.detection.events import Anomaly
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.shared_events import SharedEvents
from pynomaly.storage.records import Records, RecordsSettings

AT = 1_700_000_000.0


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[AnomalyRepository]:
    records = Records.open(RecordsSettings(), tmp_path)
    yield AnomalyRepository(records)
    records.close()


def trained(at: float, score: float = 0.7, cause: str = "seasonal/residual") -> Anomaly:
    return replace(anomaly(at), score=score, cause=cause, watched="load", expr="cpu")


def every(kept: AnomalyRepository) -> list[Anomaly]:
    return kept.found(0, AT * 2)


def test_what_a_model_and_the_judge_find_in_a_series_is_one_event(kept: AnomalyRepository) -> None:
    shared = SharedEvents(kept)
    judged, of_model = anomaly(AT), trained(AT + 60)
    shared.save([judged])
    (told,) = shared.save([of_model])
    assert told.id == judged.id
    assert every(kept) == [told]
    assert told.started_at == AT
    assert told.peaked_at == AT + 60
    assert told.score == 0.7
    assert told.cause == "seasonal/residual+level"
    assert told.watched == "load"
    assert "a value unlike this time of other days (by seasonal, trained)" in told.explanation
    assert "a value outside of the range seen so far" in told.explanation


def test_it_lasts_until_both_are_over(kept: AnomalyRepository) -> None:
    shared = SharedEvents(kept)
    judged, of_model = anomaly(AT), trained(AT + 60)
    shared.save([of_model])
    shared.save([judged])
    shared.save([of_model.closed(AT + 600)])
    assert [each.ended_at for each in every(kept)] == [0.0]
    assert shared.open_trained() == []
    shared.save([judged.closed(AT + 300)])
    assert [each.ended_at for each in every(kept)] == [AT + 600]
    shared.save([anomaly(AT + 900)])
    assert len(every(kept)) == 2


def test_two_of_the_judge_itself_stay_two(kept: AnomalyRepository) -> None:
    shared = SharedEvents(kept)
    shared.save([anomaly(AT), replace(anomaly(AT + 60), cause="novelty")])
    assert len(every(kept)) == 2


def test_another_series_is_another_event(kept: AnomalyRepository) -> None:
    shared = SharedEvents(kept)
    shared.save([anomaly(AT, host="a"), replace(anomaly(AT, host="b"), watched="load")])
    assert len(every(kept)) == 2


def test_after_a_restart_each_goes_on_with_its_own_part(kept: AnomalyRepository) -> None:
    before = SharedEvents(kept)
    before.save([anomaly(AT), trained(AT + 60)])
    shared = SharedEvents(kept)
    (judged,) = shared.open()
    (of_model,) = shared.open_trained()
    assert (judged.cause, judged.watched) == ("level", "")
    assert (of_model.cause, of_model.watched) == ("seasonal/residual", "load")
    shared.save([judged.closed(AT + 300)])
    assert [each.ended_at for each in every(kept)] == [0.0]
    shared.save([of_model.closed(AT + 200)])
    (over,) = every(kept)
    assert over.ended_at == AT + 300
    assert over.cause == "level+seasonal/residual"


def test_a_trained_event_of_an_earlier_process_is_not_the_judges(kept: AnomalyRepository) -> None:
    SharedEvents(kept).save([trained(AT)])
    assert SharedEvents(kept).open() == []
