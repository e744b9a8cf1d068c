"""Delivery with a database and a receiver on a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alerting_receiver import Receiver

from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.delivery.dead_letters import DeadLetters
from pynomaly.alerting.delivery.service import DeliveryService
from pynomaly.alerting.notifications.entry import Place, State
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.running import run
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

FIRING = Alert(
    Labels({"alertname": "Down", "instance": "a"}),
    Labels({"summary": "a is down"}),
    AlertState.FIRING,
    1.0,
    1_700_000_000.0,
    1_700_000_000.0,
    generator_url="http://source",
)
PLACE = Place("ops", "webhook[0]", "{}:{}")


def told(clock: FakeClock, key: str = "{}:{}") -> Notification:
    return Notification(
        receiver="ops",
        group_key=key,
        group_labels=Labels({"alertname": "Down"}),
        alerts=(FIRING,),
        at=clock.now(),
        reason="first notification",
        id="id-1",
        deadline=clock.now(),
        memory={"ts": "1"},
        integration="webhook[0]",
        route="0",
        repeat_interval=3600.0,
        state=State.of([FIRING]),
        route_labels=Labels({"team": "x"}),
    )


class Rig:
    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: FakeClock,
        rate_limits: dict[str, int] | None = None,
    ) -> None:
        self.clock = clock
        self.letters = DeadLetters(records, commits, clock)
        self.log = NotificationLog(records, commits, clock, retention=86_400.0)
        self.service = DeliveryService(
            self.letters, self.log, clock, external_url="http://here", rate_limits=rate_limits or {}
        )

    async def start(self, hook: Receiver) -> None:
        await self.letters.start()
        await self.log.start()
        text = (
            "route: {receiver: ops}\n"
            f"receivers: [{{name: ops, webhook_configs: [{{url: '{hook.url}'}}]}}]\n"
        )
        self.receivers = self.service.build(parse_alertmanager(text, "a.yml", Path()))

    async def tell(self, key: str = "{}:{}") -> Notification | Stopped:
        (way,) = self.receivers.ways["ops"]
        return await run(way.delivery, told(self.clock, key))


@asynccontextmanager
async def rig(
    records: Records,
    commits: GroupCommit,
    clock: FakeClock,
    hook: Receiver,
    rate_limits: dict[str, int] | None = None,
) -> AsyncIterator[Rig]:
    made = Rig(records, commits, clock, rate_limits)
    await made.start(hook)
    try:
        yield made
    finally:
        await made.receivers.close()
