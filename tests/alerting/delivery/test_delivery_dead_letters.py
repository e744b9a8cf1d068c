"""Dead letters: kept across a restart, resent, dropped; on SQLite and on PostgreSQL."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alerting_receiver import receiver
from delivery_rig import FIRING, PLACE, Rig, rig

from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.contract import Notification
from pynomaly.alerting.delivery import dead_letters
from pynomaly.alerting.delivery.dead_letters import DeadLetters
from pynomaly.alerting.delivery.errors import NoSuchDeadLetter, NoSuchReceiver
from pynomaly.alerting.notifications.entry import State
from pynomaly.model.clock import FakeClock
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit


async def test_what_is_refused_is_a_dead_letter_until_it_is_delivered(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        hook.answers = [404, 500]
        await parts.tell()
        (letter,) = parts.letters.all()
        assert letter.place == PLACE and letter.reason == "404 Not Found: not today"
        await clock.advance(60)
        await parts.tell()
        (letter,) = parts.letters.all()
        assert letter.times == 2 and letter.last_at == letter.first_at + 60
        assert "500" in letter.reason
        assert isinstance(await parts.tell(), Notification)
        assert parts.letters.all() == []


async def test_a_restart_keeps_the_letter_as_it_was(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook:
        async with rig(records, commits, clock, hook) as before:
            hook.answers = [404]
            await before.tell()
            (written,) = before.letters.all()
        async with rig(records, commits, clock, hook) as after:
            (read,) = after.letters.all()
    expected = replace(written.notification, deadline=float("inf"))
    alerts = tuple(replace(a, value=0.0) for a in read.notification.alerts)
    assert replace(read.notification, alerts=alerts) == replace(
        expected, alerts=tuple(replace(a, value=0.0) for a in expected.alerts)
    )
    assert (read.first_at, read.last_at, read.times, read.reason) == (
        written.first_at,
        written.last_at,
        written.times,
        written.reason,
    )


async def test_a_letter_that_is_resent_is_remembered_as_told(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        hook.answers = [404, 503]
        await parts.tell()
        identity = parts.letters.all()[0].id
        trial = await parts.service.resend(identity[:8])
        assert not trial.delivered and trial.reason.startswith("503")
        assert [letter.times for letter in parts.letters.all()] == [2]
        trial = await parts.service.resend(identity)
        assert trial.delivered and parts.letters.all() == []
        assert hook.headers[-1]["idempotency-key"] == "id-1"
        entry = parts.log.get(PLACE)
        assert entry is not None and entry.state == State.of([FIRING])
        with pytest.raises(NoSuchDeadLetter):
            await parts.service.resend(identity)
        assert len(hook.attempts) == 3


async def test_a_letter_whose_receiver_is_gone_says_what_there_is(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        hook.answers = [404]
        await parts.tell()
        text = "route: {receiver: new}\nreceivers: [{name: new}]\n"
        parts.service.build(parse_alertmanager(text, "a.yml", Path()))
        with pytest.raises(NoSuchReceiver, match="no receiver at all"):
            await parts.service.resend(parts.letters.all()[0].id)
        assert len(parts.letters.all()) == 1


async def test_a_letter_that_is_dropped_is_gone_after_a_restart(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        hook.answers = [404, 404]
        await parts.tell("{}:{a}")
        await parts.tell("{}:{b}")
        first, second = parts.letters.all()
        await parts.letters.drop(first.id)
        again = Rig(records, commits, clock)
        await again.start(hook)
        await again.receivers.close()
        assert [letter.id for letter in again.letters.all()] == [second.id]


async def test_a_beginning_must_mean_one_letter(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        with pytest.raises(NoSuchDeadLetter, match="No dead letter begins with 'x'"):
            parts.letters.get("x")
        hook.answers = [404] * 17
        for n in range(17):  # of 17 ids two begin with the same of 16 digits
            await parts.tell(f"{{}}:{n}")
        digits = [letter.id[0] for letter in parts.letters.all()]
        (twice, *_) = [d for d in digits if digits.count(d) > 1]
        with pytest.raises(NoSuchDeadLetter, match="Several"):
            parts.letters.get(twice)


async def test_a_database_that_is_away_does_not_lose_a_letter(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        hook.answers = [404]
        with records.writing() as session:
            session.execute(sa.text("ALTER TABLE dead_letters RENAME TO elsewhere"))
        await parts.tell()
        assert len(parts.letters.all()) == 1
        with records.writing() as session:
            session.execute(sa.text("ALTER TABLE elsewhere RENAME TO dead_letters"))
        await parts.letters.maintain()
        again = DeadLetters(records, commits, clock)
        await again.start()
        assert len(again.all()) == 1


async def test_a_rate_limit_that_lets_nothing_through_is_said(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook, {"webhook": 1}) as parts:
        hook.answers = [404]
        await parts.tell()
        trial = await parts.service.resend(parts.letters.all()[0].id)
        assert not trial.delivered and "alerting.rate_limits" in trial.reason
        (trial,) = await parts.service.test("ops")
        assert not trial.delivered and "alerting.rate_limits" in trial.reason


async def test_of_letters_without_number_the_oldest_goes(
    records: Records,
    commits: GroupCommit,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(dead_letters, "MOST", 2)
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        hook.answers = [404] * 3
        for n in range(3):
            await parts.tell(f"{{}}:{n}")
            await clock.advance(1)
        assert [letter.place.group_key for letter in parts.letters.all()] == ["{}:2", "{}:1"]
        assert "more than 2 dead letters" in caplog.text
        again = DeadLetters(records, commits, clock)
        await again.start()
        assert len(again.all()) == 2


@pytest.mark.parametrize("channel", ["ops", "ops/webhook[0]", "webhook"])
async def test_a_test_notification_reaches_what_is_named(
    records: Records, commits: GroupCommit, clock: FakeClock, channel: str
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        (trial,) = await parts.service.test(channel)
        assert (trial.receiver, trial.integration, trial.delivered) == ("ops", "webhook[0]", True)
        (payload,) = hook.taken
        assert payload["alerts"][0]["labels"]["alertname"] == "PynomalyTest"
        hook.answers = [404]
        (trial,) = await parts.service.test(channel)
        assert not trial.delivered and trial.reason == "404 Not Found: not today"
        assert parts.letters.all() == []


async def test_what_nobody_is_called_is_said_with_what_there_is(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with receiver() as hook, rig(records, commits, clock, hook) as parts:
        with pytest.raises(NoSuchReceiver, match=r"There is ops/webhook\[0\]"):
            await parts.service.test("opps")
