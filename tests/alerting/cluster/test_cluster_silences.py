"""Silences of a cluster are shown here, and kept there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cluster_rig import FakeAlertmanager, Rig, config, fake_alertmanager, rig

from pynomaly.alerting.alertmanager.matchers import parse_matchers
from pynomaly.alerting.cluster.config import HERE
from pynomaly.alerting.cluster.errors import ClusterAway
from pynomaly.alerting.silences.errors import BadSilence, SilenceNotFound
from pynomaly.alerting.silences.silence import Silence, SilenceState
from pynomaly.alerting.silences.silencer import Silencer
from pynomaly.storage.records import Records, RecordsSettings


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Rig]:
    records = Records.open(RecordsSettings(), tmp_path)
    async with rig(records) as running:
        yield running
    records.close()


@pytest.fixture
async def fake() -> AsyncIterator[FakeAlertmanager]:
    async with fake_alertmanager() as running:
        yield running


def silence(stage: Rig, matchers: str = 'instance=~"x|y"', comment: str = "why") -> Silence:
    now = stage.clock.now()
    return Silence(parse_matchers(matchers), now, now + 3600, "me", comment)


async def test_a_silence_goes_to_the_cluster_and_holds_what_it_matches(stage, fake) -> None:
    await stage.cluster.apply(config(fake.url))
    kept = await stage.silences.set(silence(stage))
    assert kept.id == "silence-0"
    (posted,) = fake.silences.values()
    assert posted["matchers"] == [
        {"name": "instance", "value": "x|y", "isRegex": True, "isEqual": True}
    ]
    assert (posted["createdBy"], posted["comment"]) == ("me", "why")
    alert = stage.alert("x")
    silencer = Silencer(stage.silences, stage.clock)
    assert silencer.silenced_by(alert.fingerprint, alert.labels) == ("silence-0",)
    await stage.silences.expire("silence-0")
    assert stage.silences.get("silence-0").state(stage.clock.now()) is SilenceState.EXPIRED
    assert silencer.silenced_by(alert.fingerprint, alert.labels) == ()


async def test_what_others_silence_there_is_seen_here(stage, fake) -> None:
    await stage.cluster.apply(config(fake.url))
    assert stage.silences.all() == []
    fake.silences["theirs"] = {
        "id": "theirs",
        "matchers": [{"name": "job", "value": "db", "isRegex": False}],
        "startsAt": "2023-11-14T22:00:00.000Z",
        "endsAt": "2023-11-15T22:00:00.000Z",
        "updatedAt": "2023-11-14T22:00:00.000Z",
        "createdBy": "karma",
        "comment": "",
    }
    await stage.cluster.look()
    assert [s.created_by for s in stage.silences.all()] == ["karma"]
    fake.silences.clear()
    await stage.cluster.look()
    assert stage.silences.all() == []


async def test_what_the_cluster_refuses_is_said(stage, fake) -> None:
    await stage.cluster.apply(config(fake.url))
    with pytest.raises(BadSilence, match=r"refuses it: a comment is expected"):
        await stage.silences.set(silence(stage, comment="refuse me"))
    with pytest.raises(SilenceNotFound, match="silence not found"):
        await stage.silences.expire("nobody's")


async def test_the_next_member_is_asked_where_the_first_does_not_answer(stage, fake) -> None:
    async with fake_alertmanager() as other:
        await stage.cluster.apply(config(fake.url, other.url))
        fake.status = 500
        await stage.silences.set(silence(stage))
        assert len(other.silences) == 1
        other.status = 500
        with pytest.raises(ClusterAway, match=r"No Alertmanager answers; .*500"):
            await stage.silences.set(silence(stage))
        assert len(stage.silences.all()) == 1  # what was known is still shown


async def test_silences_of_our_own_hold_again_when_the_cluster_is_left(stage, fake) -> None:
    own = await stage.silences.set(silence(stage))
    await stage.cluster.apply(config(fake.url))
    assert stage.silences.all() == []
    await stage.silences.set(silence(stage))
    await stage.cluster.apply(HERE)
    assert [s.id for s in stage.silences.all()] == [own.id]
