"""The message of a group in Slack is changed by what happens next, also after a restart."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from delivery_rig import FIRING
from slack_api import SlackApi, slack_api

from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.delivery.dead_letters import DeadLetters
from pynomaly.alerting.delivery.service import DeliveryService
from pynomaly.alerting.notifications.entry import State
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.deduplicate import Deduplicate
from pynomaly.alerting.pipeline.remember import Remember
from pynomaly.alerting.pipeline.running import run
from pynomaly.alerting.pipeline.tell import Tell
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

ENDED = replace(FIRING, state=AlertState.INACTIVE, resolved_at=FIRING.fired_at + 60)
OTHER = replace(FIRING, labels=Labels({"alertname": "Down", "instance": "b"}))


async def tell(
    records: Records, commits: GroupCommit, clock: FakeClock, api: SlackApi, alerts: Sequence[Alert]
) -> Notification | Stopped:
    """Start anew, with nothing but the records, and tell one state."""
    log = NotificationLog(records, commits, clock, retention=86_400.0)
    letters = DeadLetters(records, commits, clock)
    await log.start()
    await letters.start()
    service = DeliveryService(letters, log, clock, external_url="http://here", rate_limits={})
    text = (
        "route: {receiver: ops}\n"
        "receivers: [{name: ops, slack_configs: [{update_message: true, app_token: t, "
        f"send_resolved: true, app_url: '{api.url}', channel: '#ops'}}]}}]\n"
    )
    receivers = service.build(parse_alertmanager(text, "a.yml", Path()))
    (way,) = receivers.ways["ops"]
    stages = [
        Deduplicate(log, send_resolved=True),
        Tell(log, way.delivery, send_resolved=True),
        Remember(log),
    ]
    notification = Notification(
        receiver="ops",
        group_key="{}:{}",
        group_labels=Labels({"alertname": "Down"}),
        alerts=tuple(alerts),
        at=clock.now(),
        integration="slack[0]",
        repeat_interval=3600.0,
        state=State.of(alerts),
    )
    try:
        return await run(stages, notification)
    finally:
        await receivers.close()
        await clock.advance(60)


async def test_one_message_tells_the_story_of_a_group_across_restarts(
    records: Records, commits: GroupCommit, clock: FakeClock
) -> None:
    async with slack_api() as api:
        for alerts in ([FIRING], [FIRING], [FIRING, OTHER], [ENDED, OTHER], [FIRING, OTHER]):
            await tell(records, commits, clock, api, alerts)
        ended = [ENDED, replace(OTHER, state=AlertState.INACTIVE, resolved_at=clock.now())]
        await tell(records, commits, clock, api, ended)
        await tell(records, commits, clock, api, [FIRING])
    told = [(method, body.get("ts")) for method, body in api.calls]
    assert told == [
        ("chat.postMessage", None),
        ("chat.update", "1.0"),  # b fires as well
        ("chat.update", "1.0"),  # a is over
        ("chat.update", "1.0"),  # a again
        ("chat.update", "1.0"),  # all is over
        ("chat.postMessage", None),  # a new story
    ]
    colors = [body["attachments"][0]["color"] for _, body in api.calls]
    assert colors == ["danger"] * 4 + ["good", "danger"]
