"""Every Alertmanager is told of every alert, again and again, as Prometheus tells it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cluster_rig import FakeAlertmanager, Rig, config, fake_alertmanager, rig, until

from pynomaly.alerting.cluster.config import HERE
from pynomaly.calendar.events import Event, EventKind
from pynomaly.ingest.scrape.relabel import RelabelRule
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Records, RecordsSettings


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Rig]:
    records = Records.open(RecordsSettings(), tmp_path)
    async with rig(records) as running:
        yield running
    records.close()


@pytest.fixture
async def two() -> AsyncIterator[tuple[FakeAlertmanager, FakeAlertmanager]]:
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(fake_alertmanager())
        yield a, await stack.enter_async_context(fake_alertmanager())


def metric(name: str, fake: FakeAlertmanager) -> float | None:
    labels = {"alertmanager": f"{fake.url}/api/v2/alerts"}
    return REGISTRY.get_sample_value(f"pynomaly_alertmanager_{name}", labels)


async def test_every_member_is_told_of_every_alert_in_the_words_of_api_v2(stage, two) -> None:
    a, b = two
    await stage.cluster.apply(config(a.url, b.url, external_labels={"cluster": "c1"}))
    await stage.push(stage.alert("x"), stage.alert("y"))
    await until(lambda: len(a.told()) == len(b.told()) == 2)
    assert a.batches == b.batches
    assert a.batches[0][0] == {
        "labels": {"alertname": "Down", "instance": "x", "cluster": "c1"},
        "annotations": {"summary": "it is down"},
        "startsAt": "2023-11-14T22:13:20.000Z",
        "endsAt": "2023-11-14T22:17:20.000Z",
        "generatorURL": "http://here/explore",
    }
    assert a.headers[0]["content-type"] == "application/json"
    await until(lambda: metric("sent_total", a) == 2)


async def test_many_alerts_go_in_batches_of_256(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url))
    await stage.push(*(stage.alert(str(i)) for i in range(600)))
    await until(lambda: len(a.told()) == 600)
    assert [len(batch) for batch in a.batches] == [256, 256, 88]
    assert a.told() == [str(i) for i in range(600)]


async def test_what_fires_is_told_again_every_minute_and_not_sooner(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url))
    await stage.push(stage.alert("x"))
    await until(lambda: stage.cluster.tellings(stage.alert("x"))[0].told_at)
    for _ in range(11):
        await stage.clock.advance(5)
        await stage.push(stage.alert("x"))  # only its end is put off
        await stage.cluster.check()
    assert a.told() == ["x"]
    await stage.clock.advance(5)
    await stage.push(stage.alert("x"))
    await stage.cluster.check()
    await until(lambda: a.told() == ["x", "x"])
    assert a.batches[1][0]["endsAt"] == "2023-11-14T22:18:20.000Z"


async def test_an_end_is_told_at_once_and_for_a_quarter_of_an_hour(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url))
    await stage.push(stage.alert("x"))
    await until(lambda: len(a.told()) == 1)
    await stage.clock.advance(30)
    await stage.push(stage.alert("x", ends_in=0.0))
    await until(lambda: len(a.told()) == 2)
    assert a.batches[1][0]["endsAt"] == "2023-11-14T22:13:50.000Z"
    for minute in range(20):
        told = len(a.told())
        await stage.clock.advance(61)
        await stage.cluster.check()
        if minute < 14:
            await until(lambda told=told: len(a.told()) == told + 1)
    await stage.push(stage.alert("y"))
    await until(lambda: a.told()[-1] == "y")
    assert a.told().count("x") == 2 + 14


async def test_a_member_that_was_away_is_told_what_it_missed(stage, two) -> None:
    a, b = two
    await stage.cluster.apply(config(a.url, b.url))
    b.status = 503
    await stage.push(stage.alert("x"))
    await until(lambda: a.told() == ["x"] and metric("dropped_total", b) == 1)
    assert metric("errors_total", b) == 1
    assert metric("up", b) == 0
    _, away = stage.cluster.members()
    assert away.trouble == "503 Service Unavailable: not today"
    assert stage.cluster.tellings(stage.alert("x"))[1].told_at == 0
    b.status = 200
    await stage.cluster.look()
    assert away.trouble == ""
    await stage.clock.advance(5)
    await stage.cluster.check()
    await until(lambda: b.told() == ["x"])
    assert a.told() == ["x"]  # it is not its turn


async def test_what_a_member_refuses_is_its_trouble_and_repeated_after_a_minute(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url))
    a.status = 400
    await stage.push(stage.alert("x"))
    (member,) = stage.cluster.members()
    await until(lambda: member.refused)
    assert member.trouble == "400 Bad Request: not today"
    assert not member.away
    await stage.clock.advance(30)
    await stage.cluster.check()
    a.status = 200
    await stage.clock.advance(30)
    await stage.cluster.check()
    await until(lambda: a.told() == ["x"])
    assert member.trouble == ""


async def test_where_the_queue_is_full_the_oldest_give_way_and_are_counted(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url, queue_capacity=300))
    await stage.push(*(stage.alert(str(i)) for i in range(500)))
    await until(lambda: len(a.told()) == 300)
    assert a.told()[0] == "200"
    assert metric("dropped_total", a) == 200
    await stage.clock.advance(5)
    await stage.cluster.check()  # the others are due, for they have not been told
    await until(lambda: len(a.told()) == 500)
    assert metric("dropped_total", a) == 200


async def test_relabelling_changes_and_drops_alerts(stage, two) -> None:
    a, b = two
    drop = RelabelRule.model_validate(
        {"source_labels": ["instance"], "regex": "secret", "action": "drop"}
    )
    block = {
        "static_configs": [{"targets": [b.url.removeprefix("http://")]}],
        "path_prefix": "am/",
        "alert_relabel_configs": [{"regex": "replica", "action": "labeldrop"}],
    }
    settings = config(a.url, block, external_labels={"replica": "1"}, alert_relabel_configs=(drop,))
    await stage.cluster.apply(settings)
    await stage.push(stage.alert("x"), stage.alert("secret"))
    await until(lambda: a.told() == ["x"] and b.told() == ["x"])
    assert a.batches[0][0]["labels"]["replica"] == "1"
    assert "replica" not in b.batches[0][0]["labels"]
    told, _ = stage.cluster.tellings(stage.alert("secret"))
    assert (told.tells, told.reason) == (False, "relabelling (alert_relabel_configs) drops it")


async def test_alerts_of_others_keep_their_labels(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url, external_labels={"cluster": "c1"}))
    await stage.push(stage.alert("x", source="POST /api/v2/alerts"))
    await until(lambda: a.told() == ["x"])
    assert "cluster" not in a.batches[0][0]["labels"]


async def test_changed_annotations_are_told_at_once(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url))
    await stage.push(stage.alert("x"))
    await until(lambda: len(a.told()) == 1)
    await stage.push(stage.alert("x", annotations=Labels({"summary": "worse"})))
    await until(lambda: len(a.told()) == 2)
    assert a.batches[1][0]["annotations"] == {"summary": "worse"}


async def test_a_reload_adds_and_removes_members_and_keeps_the_others(stage, two) -> None:
    a, b = two
    await stage.cluster.apply(config(a.url))
    (kept,) = stage.cluster.members()
    await stage.push(stage.alert("x"))
    await until(lambda: a.told() == ["x"])
    await stage.cluster.apply(config(a.url, b.url))
    assert stage.cluster.members()[0] is kept
    await until(lambda: b.told() == ["x"])  # it fires, and this one did not know
    assert stage.cluster.addresses()[0] == [f"{a.url}/api/v2/alerts", f"{b.url}/api/v2/alerts"]
    await stage.cluster.apply(config(b.url))
    await stage.push(stage.alert("y"))
    await until(lambda: b.told() == ["x", "y"])
    assert a.told() == ["x"]
    await stage.cluster.apply(HERE)
    assert stage.cluster.addresses() == ([], [])
    await until(lambda: metric("up", b) is None)


async def test_members_are_found_in_files_and_dropped_by_relabelling(
    stage, two, tmp_path: Path
) -> None:
    a, b = two
    targets = tmp_path / "am.yml"
    here, there = (fake.url.removeprefix("http://") for fake in two)
    targets.write_text(f"- targets: ['{here}']\n- targets: ['gone:9093']\n")
    drop = {"source_labels": ["__address__"], "regex": "gone:.*", "action": "drop"}
    block = {"file_sd_configs": [{"files": [str(targets)]}], "relabel_configs": [drop]}
    await stage.cluster.apply(config(block))
    assert stage.cluster.addresses() == (
        [f"{a.url}/api/v2/alerts"],
        ["http://gone:9093/api/v2/alerts"],
    )
    targets.write_text(f"- targets: ['{here}', '{there}', '{there}']\n")
    await stage.clock.advance(15)
    await stage.cluster.look()
    assert stage.cluster.addresses()[0] == [f"{a.url}/api/v2/alerts", f"{b.url}/api/v2/alerts"]
    await stage.push(stage.alert("x"))
    await until(lambda: a.told() == b.told() == ["x"])


async def test_what_begins_in_a_window_of_maintenance_is_told_after_it(stage, two) -> None:
    a, _ = two
    await stage.cluster.apply(config(a.url))
    now = stage.clock.now()
    await stage.push(stage.alert("known", starts_at=now - 600))
    await until(lambda: a.told() == ["known"])
    window = Event(EventKind.MAINTENANCE, "new disks", now - 60, now + 120, id="1")
    stage.plan.add(window)
    await stage.push(stage.alert("new", starts_at=now), stage.alert("over", starts_at=now))
    await stage.clock.advance(61)
    await stage.push(stage.alert("over", starts_at=now, ends_in=0.0))
    await stage.cluster.check()
    await until(lambda: a.told() == ["known", "known"])
    await stage.clock.advance(60)
    await stage.push(stage.alert("known", starts_at=now - 600, ends_in=0.0))
    await stage.cluster.check()
    await until(lambda: "new" in a.told())
