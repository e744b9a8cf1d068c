"""Anomalies in the records, on SQLite and PostgreSQL."""

from dataclasses import replace
from itertools import pairwise

import pytest
import sqlalchemy as sa

from pynomaly.detection.events import Severity
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.storage.records import Records
from tests.detection.found_anomaly import anomaly


@pytest.fixture
def anomalies(records: Records) -> AnomalyRepository:
    return AnomalyRepository(records)


def test_what_was_saved_is_found_newest_first(anomalies: AnomalyRepository) -> None:
    one, two = anomaly(100, job="api"), anomaly(200, service="shop", job="x")
    anomalies.save([one, two])
    assert anomalies.found(0, 300) == [two, one]
    assert anomalies.found(0, 150) == [one]
    assert anomalies.found(0, 300, service="shop") == [two]
    assert anomalies.found(0, 300, metric="memory") == []
    assert anomalies.found(0, 300, limit=1) == [two]


def test_an_anomaly_is_found_while_it_lasts_and_by_its_time_after(
    anomalies: AnomalyRepository,
) -> None:
    one = anomaly(100)
    anomalies.save([one])
    assert anomalies.found(500, 600) == [one]
    assert anomalies.open() == [one]
    anomalies.save([one.closed(400)])
    assert anomalies.open() == []
    assert anomalies.found(500, 600) == []
    assert anomalies.found(300, 600) == [one.closed(400)]


def test_feedback_stays_when_the_anomaly_goes_on(anomalies: AnomalyRepository) -> None:
    one = anomaly(100)
    anomalies.save([one])
    said = anomalies.judge(one.id, "false")
    assert said is not None
    assert said.feedback == "false"
    anomalies.save([one.grown(replace(one, score=0.9))])
    (found,) = anomalies.found(0, 300)
    assert (found.feedback, found.severity) == ("false", Severity.CRITICAL)


def test_feedback_on_what_is_not_there_is_none(anomalies: AnomalyRepository) -> None:
    assert anomalies.judge("nothing", "real") is None


def test_those_that_began_in_a_time_are_found_with_their_service(
    anomalies: AnomalyRepository,
) -> None:
    anomalies.save([anomaly(100, job="a"), anomaly(200, job="b"), anomaly(300)])
    assert [each.started_at for each in anomalies.begun(100, 200)] == [200, 100]
    assert sorted(anomalies.starts(150, 400)) == [("", 300.0), ("b", 200.0)]


def test_the_previous_one_is_of_the_same_series_and_cause(anomalies: AnomalyRepository) -> None:
    one, other = anomaly(100, job="a"), anomaly(200, job="a", instance="x")
    unlike, last = replace(anomaly(300, job="a"), cause="novelty"), anomaly(400, job="a")
    anomalies.save([one, other, unlike, last])
    assert anomalies.previous(last) == one
    assert anomalies.previous(one) is None


def test_what_a_person_said_is_found_from_a_time_on(anomalies: AnomalyRepository) -> None:
    rows = [anomaly(at) for at in (100, 200, 300)]
    anomalies.save(rows)
    anomalies.judge(rows[0].id, "false")
    anomalies.judge(rows[2].id, "real")
    assert [each.id for each in anomalies.judged(150)] == [rows[2].id]


def test_every_change_is_counted_and_nothing_else(anomalies: AnomalyRepository) -> None:
    one = anomaly(100)
    seen = [anomalies.changes]
    for change in (
        lambda: anomalies.save([one]),
        lambda: anomalies.judge(one.id, "real"),
        lambda: anomalies.judge("nothing", "real"),
        lambda: anomalies.save([one.closed(150)]),
        lambda: anomalies.forget(200),
        lambda: anomalies.forget(200),
    ):
        change()
        seen.append(anomalies.changes)
    assert [after - before for before, after in pairwise(seen)] == [1, 1, 0, 1, 1, 0]


def test_what_ended_long_ago_is_forgotten(anomalies: AnomalyRepository) -> None:
    anomalies.save([anomaly(100).closed(150), anomaly(160), anomaly(170).closed(400)])
    assert anomalies.forget(300) == 1
    assert [each.started_at for each in anomalies.found(0, 900)] == [170, 160]


def test_a_service_is_the_first_of_its_labels() -> None:
    assert anomaly(1, job="j", app="a").service == "a"
    assert anomaly(1, job="j", service="s", service_name="n").service == "s"
    assert anomaly(1, host="h").service == ""


def test_an_outage_of_a_thousand_series_is_saved_in_few_statements(
    anomalies: AnomalyRepository, records: Records
) -> None:
    known = [anomaly(100, job=str(i)) for i in range(600)]
    new = [anomaly(100, job=str(i)) for i in range(600, 1200)]
    anomalies.save(known)
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(records.engine, "before_cursor_execute", count)
    grown = [each.grown(replace(each, score=0.99)) for each in known]
    anomalies.save([new[0], *grown, *new])
    sa.event.remove(records.engine, "before_cursor_execute", count)

    assert 3 <= len(statements) < 20
    found = {each.id: each for each in anomalies.found(0, 300, limit=2000)}
    assert len(found) == 1200
    assert {found[each.id].score for each in known} == {0.99}
    assert found[new[0].id] == replace(new[0], group_id=found[new[0].id].group_id)
