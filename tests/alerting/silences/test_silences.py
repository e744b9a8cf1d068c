"""Silences as Alertmanager keeps them, on both databases."""

from dataclasses import replace

import pytest

from pynomaly.alerting.alertmanager.matchers import parse_matchers
from pynomaly.alerting.silences.errors import BadSilence, SilenceNotFound
from pynomaly.alerting.silences.service import Silences
from pynomaly.alerting.silences.silence import Silence, SilenceState
from pynomaly.alerting.silences.silencer import Silencer
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
async def silences(records: Records, commits: GroupCommit, clock: FakeClock) -> Silences:
    return await reopened(records, commits, clock)


async def reopened(records: Records, commits: GroupCommit, clock: FakeClock) -> Silences:
    silences = Silences(records, commits, clock, retention=5 * DAY)
    await silences.start()
    return silences


def silence(clock: FakeClock, matchers: str = 'job="node"', start: float = 0.0) -> Silence:
    now = clock.now()
    starts_at = now + start if start else 0.0
    return Silence(parse_matchers(matchers), starts_at, now + start + HOUR, "me", "why")


def fingerprint(labels: Labels) -> str:
    return Alert(labels, Labels(), AlertState.FIRING, 0, 0).fingerprint


NODE = Labels({"alertname": "Down", "job": "node"})


async def test_a_new_silence_begins_now_and_survives_a_restart(
    silences: Silences, records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock, 'job="node",instance=~"a|b.*"'))
    assert (kept.starts_at, kept.state(clock.now())) == (clock.now(), SilenceState.ACTIVE)
    assert (await reopened(records, commits, clock)).all() == [kept]


async def test_states_follow_the_clock(silences: Silences, clock: FakeClock) -> None:
    kept = await silences.set(silence(clock, start=60))
    assert kept.state(clock.now()) is SilenceState.PENDING
    await clock.advance(60)
    assert silences.get(kept.id).state(clock.now()) is SilenceState.ACTIVE
    await clock.advance(HOUR)
    assert silences.all([SilenceState.EXPIRED]) == [kept]


async def test_a_longer_end_keeps_the_id(silences: Silences, clock: FakeClock) -> None:
    kept = await silences.set(silence(clock))
    await clock.advance(10)
    changed = await silences.set(replace(kept, ends_at=kept.ends_at + HOUR, comment="more"))
    assert changed.id == kept.id
    assert [(s.comment, s.updated_at) for s in silences.all()] == [("more", clock.now())]


async def test_other_matchers_expire_the_old_and_make_a_new_one(
    silences: Silences, records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock))
    await clock.advance(10)
    changed = await silences.set(replace(kept, matchers=parse_matchers("job=db")))
    assert changed.id != kept.id
    assert changed.starts_at == clock.now()
    for seen in (silences, await reopened(records, commits, clock)):
        assert seen.get(kept.id).ends_at == clock.now()
        assert seen.get(changed.id).state(clock.now()) is SilenceState.ACTIVE


async def test_the_past_of_an_active_silence_is_not_rewritten(
    silences: Silences, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock))
    await clock.advance(10)
    earlier = await silences.set(replace(kept, starts_at=kept.starts_at - 60))
    assert earlier.id != kept.id
    assert earlier.starts_at == clock.now()


async def test_a_pending_silence_may_be_moved_but_not_into_the_past(
    silences: Silences, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock, start=60))
    moved = await silences.set(replace(kept, starts_at=kept.starts_at + 60))
    assert moved.id == kept.id
    past = await silences.set(replace(kept, starts_at=clock.now() - 60))
    assert past.id != kept.id


async def test_an_expired_silence_comes_back_under_another_id(
    silences: Silences, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock))
    await silences.expire(kept.id)
    await clock.advance(10)
    again = await silences.set(replace(kept, ends_at=clock.now() + HOUR))
    assert again.id != kept.id
    assert silences.get(kept.id).ends_at == clock.now() - 10


async def test_expiring_is_idempotent_and_ends_a_pending_one_too(
    silences: Silences, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock, start=60))
    await silences.expire(kept.id)
    await clock.advance(10)
    await silences.expire(kept.id)
    ended = silences.get(kept.id)
    assert (ended.starts_at, ended.ends_at) == (clock.now() - 10, clock.now() - 10)


async def test_what_does_not_exist_is_not_found(silences: Silences, clock: FakeClock) -> None:
    with pytest.raises(SilenceNotFound):
        await silences.expire("nothing")
    with pytest.raises(SilenceNotFound):
        await silences.set(replace(silence(clock), id="nothing"))


@pytest.mark.parametrize(
    ("matchers", "fault"),
    [
        ("{}", "at least one matcher"),
        ('job=""', "must not match the empty string"),
        ('job=~".*",name=~"a?"', "must not match the empty string"),
    ],
)
async def test_what_would_silence_everything_is_refused(
    silences: Silences, clock: FakeClock, matchers: str, fault: str
) -> None:
    with pytest.raises(BadSilence, match=fault):
        await silences.set(silence(clock, matchers))
    assert silences.all() == []


async def test_an_end_before_the_start_is_refused(silences: Silences, clock: FakeClock) -> None:
    backwards = replace(silence(clock, start=60), ends_at=clock.now())
    with pytest.raises(BadSilence, match="end time must not be before start time"):
        await silences.set(backwards)


async def test_after_the_retention_it_is_forgotten(
    silences: Silences, records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    kept = await silences.set(silence(clock))
    later = await silences.set(silence(clock, start=DAY))
    await clock.advance(HOUR + 5 * DAY)
    await silences.collect_garbage()
    for seen in (silences, await reopened(records, commits, clock)):
        assert seen.all() == [later]
        with pytest.raises(SilenceNotFound):
            seen.get(kept.id)


async def test_the_silencer_follows_every_change(silences: Silences, clock: FakeClock) -> None:
    silencer = Silencer(silences, clock)

    def by() -> tuple[str, ...]:
        return silencer.silenced_by(fingerprint(NODE), NODE)

    assert by() == ()
    first = await silences.set(silence(clock))
    assert by() == (first.id,)
    pending = await silences.set(silence(clock, 'alertname="Down"', start=60))
    assert by() == (first.id,)
    await clock.advance(60)
    assert by() == (first.id, pending.id)
    await silences.expire(first.id)
    assert by() == (pending.id,)
    longer = await silences.set(replace(pending, ends_at=clock.now() + DAY))
    await clock.advance(2 * HOUR)
    assert by() == (longer.id,)
    await clock.advance(DAY)
    assert by() == ()


MATCHERS = [
    'job="node"', 'job!="node"', 'job=~"node|db"', 'job=~"no.*"', 'job!~"db|web"', 'job=""',
    'job=~"|node"', 'job=~"n.de|db"', 'alertname=~"Down"', 'instance="a",job="node"',
    'instance="a",job!="node"', 'instance!=""',
]  # fmt: skip


async def test_the_index_finds_exactly_what_matches(silences: Silences, clock: FakeClock) -> None:
    several = [f"{m},alertname!=x{i}" for i in range(3) for m in MATCHERS]
    kept = [await silences.set(silence(clock, matchers)) for matchers in several]
    for job in ("", "node", "db", "nude"):
        for instance in ("", "a", "b"):
            labels = Labels({"alertname": "Down", "job": job, "instance": instance})
            expected = {s.id for s in kept if s.matches(labels)}
            assert {s.id for s in silences.matching(labels)} == expected
            silencer = Silencer(silences, clock)
            assert set(silencer.silenced_by("f", labels)) == expected


async def test_a_thousand_silences_are_not_asked_one_by_one(
    silences: Silences, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(1_000):
        silences._keep(replace(silence(clock, f'instance="host-{i}",job=~".+"'), id=str(i)))
    asked = 0
    matches = Silence.matches

    def counted(one: Silence, labels: Labels) -> bool:
        nonlocal asked
        asked += 1
        return matches(one, labels)

    monkeypatch.setattr(Silence, "matches", counted)
    silencer = Silencer(silences, clock)
    for i in range(2_000):
        labels = Labels({"alertname": "Down", "instance": f"host-{i}", "job": "node"})
        assert bool(silencer.silenced_by(str(i), labels)) == (i < 1_000)
    assert asked == 1_000
