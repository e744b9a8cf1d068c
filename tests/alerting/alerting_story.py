"""Stories of alerts on a clock that stands still: what is sent when, and what is told.

Times are seconds since the story began.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.alertmanager.matchers import parse_matchers
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.contract import Attempt, Delivery, Notification, Outcome, Stopped
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.alerting.manager import AlertManager, Setup
from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.pipeline.stages import Way
from pynomaly.alerting.silences.silence import Silence
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matcher
from pynomaly.calendar.recurrence import Recurrence
from pynomaly.model.alert import fingerprint
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records, RecordsSettings, RecordsUnavailable
from pynomaly.storage.records.group_commit import GroupCommit, Work

BEGIN = 1_700_000_000.0
DAY = 86_400.0


class Inline(GroupCommit):
    """Commits at once, so that a story goes the same way each time; may be made to fail."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self.inner = records
        self.away = False
        self.commits = 0

    async def write(self, work: Work) -> None:
        if self.away:
            raise RecordsUnavailable("away")
        self.commits += 1
        with self.inner.writing() as session:
            work(session)


class Plan:
    """The calendar of a story."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.version = 0

    def add(self, event: Event) -> None:
        self.events = [each for each in self.events if each.id != event.id] + [event]
        self.version += 1

    def between(
        self, since: float, until: float, *, kinds: Collection[EventKind] = ()
    ) -> list[Occurrence]:
        events = [event for event in self.events if not kinds or event.kind in kinds]
        return [each for event in events for each in event.occurrences(since, until)]


@dataclass
class Told:
    """A notification as its receiver saw it."""

    at: float
    receiver: str
    group: dict[str, str]
    status: str
    alerts: list[str]
    reason: str
    id: str
    notification: Notification = field(repr=False)


class Story:
    """An alert manager with receivers that write down what they are told.

    ``fails``: by integration (``team/webhook[0]``), until when (seconds) it takes nothing.
    """

    def __init__(
        self,
        config: str,
        folder: Path,
        records: Records | None = None,
        noise: NoiseSettings | None = None,
    ) -> None:
        self.clock = FakeClock(BEGIN)
        self.noise = noise
        self.config: AlertmanagerConfig = parse_alertmanager(config, "test.yml", folder)
        self.records = records or Records.open(RecordsSettings(), folder)
        self.commits = Inline(self.records)
        self.told: list[Told] = []
        self.attempts: list[Notification] = []
        self.acknowledged: list[Notification] = []
        self.fails: dict[str, float] = {}
        self.plan = Plan()
        self.manager = self._manager()

    async def __aenter__(self) -> "Story":
        await self.manager.start(self._setup())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.close()
        self.records.close()

    @property
    def now(self) -> float:
        return self.clock.now() - BEGIN

    async def until(self, at: float, step: float = 0.05) -> None:
        """Let the time pass, in steps that give everything its turn."""
        while (left := at - self.now) > 1e-5:
            await self.clock.advance(min(step, left))
            for _ in range(30):
                await asyncio.sleep(0)
        self.clock._now = BEGIN + at  # without what rounding left of it
        await self._settle()

    async def crash(self, *, reload: str | None = None) -> None:
        """Go on with what was written down; nothing that was in memory is left."""
        old = self.manager
        await old.dispatcher.close()
        if reload is not None:
            self.config = parse_alertmanager(reload, "test.yml", Path())
        self.manager = self._manager()
        await self.manager.start(self._setup())
        await self._settle()

    async def reload(self, config: str) -> None:
        self.config = parse_alertmanager(config, "test.yml", Path())
        self.manager.apply(self._setup())
        await self._settle()

    async def push(self, *alerts: ReceivedAlert) -> None:
        await self.manager.alerts.put(alerts)
        await self._settle()

    def alert(
        self,
        start: float | None = None,
        end: float | None = None,
        annotations: dict[str, str] | None = None,
        **labels: str,
    ) -> ReceivedAlert:
        """As the API takes it in at this moment: without an end it is given one."""
        now = self.clock.now()
        timeout = self.config.global_.resolve_timeout
        starts_at = now if start is None else BEGIN + start
        named = Labels({"alertname": "Test", **labels})
        return ReceivedAlert(
            labels=named,
            annotations=Labels(annotations or {}),
            starts_at=starts_at,
            ends_at=now + timeout if end is None else BEGIN + end,
            updated_at=now,
            fingerprint=fingerprint(named),
            timeout=end is None,
        )

    async def silence(self, matchers: str, start: float, end: float) -> Silence:
        kept = await self.manager.silences.set(
            Silence(parse_matchers(matchers), BEGIN + start, BEGIN + end, "me", "why")
        )
        await self._settle()
        return kept

    def maintain(self, matcher: str, start: float, end: float, rule: str = "") -> Event:
        """A window of maintenance, with a recurrence or without; no matcher concerns everything."""
        event = Event(
            kind=EventKind.MAINTENANCE,
            title="new disks",
            starts_at=BEGIN + start,
            ends_at=BEGIN + end,
            matchers=(parse_matcher(matcher),) if matcher else (),
            recurrence=Recurrence(rule) if rule else None,
            updated_at=self.clock.now(),
            id=f"window-{len(self.plan.events)}",
        )
        self.plan.add(event)
        return event

    def said(self, receiver: str = "") -> list[tuple[float, list[str]]]:
        """When a receiver was told what; ``a!`` is resolved."""
        return [(t.at, t.alerts) for t in self.told if receiver in ("", t.receiver)]

    async def _settle(self) -> None:
        await self.clock.advance(0)
        for _ in range(50):
            await asyncio.sleep(0)

    def _manager(self) -> AlertManager:
        return AlertManager(
            self.records,
            self.commits,
            self.clock,
            retention=5 * DAY,
            maintenance=MaintenanceWindows(self.plan),
            noise=self.noise,
        )

    def _setup(self) -> Setup:
        ways = {r.name: self._ways(r) for r in self.config.receivers}
        return Setup(self.config, ways)

    async def _acknowledge(self, notification: Notification) -> Delivery:
        self.acknowledged.append(notification)
        return Delivery(Outcome.DELIVERED)

    def _ways(self, receiver: Any) -> Sequence[Way]:
        return [
            Way(
                f"{i.kind}[{i.index}]",
                i.config.send_resolved,
                [_Receiver(self)],
                self._acknowledge if i.kind == "pagerduty" else None,
            )
            for i in receiver.integrations()
        ]


class _Receiver:
    """Takes a notification, or fails every second until it can or its time is over."""

    def __init__(self, story: Story) -> None:
        self.story = story

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        story = self.story
        name = f"{notification.receiver}/{notification.integration}"
        tries: list[Attempt] = []
        while True:
            story.attempts.append(notification)
            at = story.clock.now()
            if story.now >= story.fails.get(name, 0):
                story.told.append(_told(story, notification))
                tries.append(Attempt(at, 0.0, Outcome.DELIVERED))
                return replace(
                    notification, attempts=tuple(tries), memory={"last": notification.id}
                )
            tries.append(Attempt(at, 0.0, Outcome.RETRYABLE, "it fails"))
            if at + 1 >= notification.deadline:
                return Stopped("it fails", failed=True, attempts=tuple(tries))
            await story.clock.sleep_until(at + 1)


def _told(story: Story, notification: Notification) -> Told:
    firing = {alert.fingerprint for alert in notification.firing}
    return Told(
        at=round(story.now, 3),
        receiver=notification.receiver,
        group=dict(notification.group_labels),
        status=notification.status,
        alerts=[
            _name(alert.labels) + ("" if alert.fingerprint in firing else "!")
            for alert in notification.alerts
        ],
        reason=notification.reason,
        id=notification.id,
        notification=notification,
    )


def _name(labels: Labels) -> str:
    return labels.get("i") or labels["alertname"]
