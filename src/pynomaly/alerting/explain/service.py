"""Explains alerts: by asking each stage what it says now, and the records what it said before."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from pynomaly.alerting import maintenance
from pynomaly.alerting.alertmanager.routes import Route
from pynomaly.alerting.alerts import repository as alerts_repository
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.dispatch.group import Group, group_key
from pynomaly.alerting.explain import repository
from pynomaly.alerting.explain.explanation import Explanation, Path, Telling
from pynomaly.alerting.explain.noise import as_told, held_by_noise, standing
from pynomaly.alerting.manager import AlertManager, Elsewhere
from pynomaly.alerting.notifications.entry import Entry, Place, State
from pynomaly.alerting.notifications.history import HistoryFilter, Sent
from pynomaly.alerting.pipeline.deduplicate import Reason, why_tell
from pynomaly.alerting.pipeline.stages import Way
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.model.matcher import Matcher, all_match
from pynomaly.storage.records import Records


class NoSuchAlert(PynomalyError):
    """Nothing is known of an alert."""

    status = 404
    kind = "not_found"


class Explainer:
    """Says why, for each receiver."""

    def __init__(self, manager: AlertManager, records: Records, clock: Clock) -> None:
        self._manager = manager
        self._records = records
        self._clock = clock

    async def explain(self, fingerprint: str) -> Explanation:
        """Everything about one alert.

        Raises:
            NoSuchAlert: it is not known, or was forgotten after the retention.
            RecordsUnavailable: the database does not answer.
        """
        alert = self._manager.alerts.get(fingerprint)
        if alert is None:
            alert = await asyncio.to_thread(alerts_repository.find, self._records, fingerprint)
        if alert is None:
            raise NoSuchAlert(
                f"No alert has the fingerprint {fingerprint}.",
                hint="GET /api/v2/alerts and `amtool alert query -o json` show fingerprints.",
            )
        await self._manager.journal.maintain()
        sent = await self._manager.log.history(HistoryFilter(fingerprints=[fingerprint]))
        verdicts = await asyncio.to_thread(repository.find, self._records, fingerprint)
        routes = self._manager.setup.route.match(alert.labels)
        paths = tuple(self._path(alert, route, sent) for route in routes)
        now = self._clock.now()
        noise = standing(self._manager, alert.at(now), now)
        return Explanation(alert, not alert.resolved(now), paths, verdicts, sent, noise)

    async def who_was_told(
        self, matchers: Sequence[Matcher], wanted: HistoryFilter
    ) -> list[tuple[Sent, list[ReceivedAlert]]]:
        """Notifications of alerts that match, and these alerts, the newest first.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        known = await asyncio.to_thread(alerts_repository.everything, self._records)
        named = {a.fingerprint: a for a in known if all_match(matchers, a.labels)}
        found = []
        for sent in await self._manager.log.history(wanted):
            told = sent.state.firing | sent.state.resolved
            alerts = [named[one] for one in sorted(told & named.keys())]
            if alerts or not matchers:
                found.append((sent, alerts))
        return found

    def _path(self, alert: ReceivedAlert, route: Route, sent: Sequence[Sent]) -> Path:
        group = self._manager.dispatcher.group_of(route, alert.labels)
        if group is not None and alert.fingerprint not in group.alerts:
            group = None
        key = group_key(route, route.group_labels(alert.labels))
        held = self._held(alert, route)
        ways, elsewhere = self._manager.setup.ways.get(route.receiver, ()), self._elsewhere
        tellings = (
            elsewhere(alert)
            if elsewhere is not None
            else tuple(self._telling(route, key, way, group, sent) for way in ways)
        )
        next_at = group.due if group is not None else 0.0
        return Path(
            receiver=route.receiver,
            route=route.id,
            group_key=key,
            group_wait=route.group_wait,
            group_interval=route.group_interval,
            repeat_interval=route.repeat_interval,
            next_at=next_at,
            held=held,
            tellings=tellings,
            change=self._change(alert, route, held, tellings, next_at),
        )

    @property
    def _elsewhere(self) -> Elsewhere | None:
        return self._manager.setup.elsewhere

    def _held(self, alert: ReceivedAlert, route: Route) -> Verdict | None:
        """What would hold it back now, in the order of the stages."""
        now, manager = self._clock.now(), self._manager
        found = manager.setup.inhibitor.inhibited_by(alert.fingerprint, alert.labels, now)
        if found is not None:
            reason = f"inhibited by the alert {found.source} ({found.rule})"
            return Verdict("inhibit", reason, (found.source,))
        active, muting = route.active_time_intervals, manager.muted_by(route, now)
        if muting:
            stage = "time_active" if muting == active else "time_mute"
            how = "active only" if stage == "time_active" else "muted"
            return Verdict(stage, f"the route is {how} during {', '.join(muting)}", muting)
        ids = manager.silencer.silenced_by(alert.fingerprint, alert.labels)
        if ids:
            return Verdict("silence", f"silenced by {' and '.join(ids)}", ids)
        windows = manager.maintenance.windows(alert.labels, now)
        if self._elsewhere and maintenance.told_before(alert.starts_at, windows):
            windows = []  # what Alertmanagers know of is not taken from them
        found_window = maintenance.verdict_of(windows)
        return found_window or held_by_noise(manager, alert.at(now), route, now)

    def _telling(
        self, route: Route, key: str, way: Way, group: Group | None, sent: Sequence[Sent]
    ) -> Telling:
        place = Place(route.receiver, way.name, key)
        entry = self._manager.log.get(place)
        told_at = entry.at if entry is not None else 0.0
        state = self._state(route, group)
        since = self._clock.now() - route.repeat_interval
        why = why_tell(entry, state, send_resolved=way.send_resolved, since=since)
        nothing = "" if why else _nothing_to_tell(entry, state)
        if why is Reason.REPEAT and group is not None:
            nothing = self._no_repeat(group)
        why = None if nothing else why
        return Telling(
            integration=way.name,
            tells=why is not None,
            reason=why.value if why is not None else nothing,
            told_at=told_at,
            repeats_at=told_at + route.repeat_interval if told_at and state.firing else 0.0,
            last=next((one for one in sent if one.place == place), None),
        )

    def _no_repeat(self, group: Group) -> str:
        """Why a group is not told again; empty if it is."""
        now = self._clock.now()
        firing = [a.at(now) for a in group.alerts.values() if not a.resolved(now)]
        acknowledgements = self._manager.noise.acknowledgements
        return acknowledgements.why_no_repeat(firing, group.route.repeat_interval)

    def _state(self, route: Route, group: Group | None) -> State:
        """What of a group would be told now."""
        if group is None:
            return State()
        now = self._clock.now()
        told = (as_told(a.at(now), self._held(a, route)) for a in group.alerts.values())
        return State.of(alert for alert in told if alert is not None)

    def _change(
        self,
        alert: ReceivedAlert,
        route: Route,
        held: Verdict | None,
        tellings: Sequence[Telling],
        next_at: float,
    ) -> str:
        if held is not None:
            return self._release(held, alert)
        if self._elsewhere is not None:
            return "The Alertmanagers decide who is told and when: their pages say it."
        if not tellings:
            return f"Give the receiver {route.receiver} a way to be told, such as webhook_configs."
        if not next_at:
            return "It is in no group any more: everybody was told of its end. It must fire again."
        if any(telling.tells for telling in tellings):
            return f"Its group is told at {_time(next_at)}. A silence before then prevents that."
        if all("acknowledged" in telling.reason for telling in tellings):
            return "Withdraw the acknowledgement; then it is repeated. Its end is told anyway."
        if alert.resolved(self._clock.now()):
            return "Nothing is to be told of its end, since nobody was told of its beginning."
        repeats_at = min(t.repeats_at for t in tellings)
        return (
            f"It is told again by the first look at its group from {_time(repeats_at)} on, or "
            "sooner when alerts join its group or are resolved. A silence prevents both."
        )

    def _release(self, held: Verdict, alert: ReceivedAlert) -> str:
        if held.stage == "silence":
            silences = list(self._manager.silences.unexpired(held.by))
            ends = max((silence.ends_at for silence in silences), default=0.0)
            return f"Expire {' and '.join(held.by)}, or wait until {_time(ends)}."
        if held.stage == maintenance.STAGE:
            return self._end_of_maintenance(alert)
        if held.stage == "inhibit":
            return f"The alert {held.by[0]} must be resolved, or the rule of inhibition changed."
        if held.stage == "suppress":
            return (
                f"Wait until the rule {held.by[0]} lets it through, raise its "
                "max_alerts_in_window, or narrow its matchers."
            )
        if held.stage == "flapping":
            return "Wait until it is calm, or leave alerting.flapping.hold out."
        if held.stage == "time_mute":
            return f"Wait until it is no longer {' or '.join(held.by)}, or change the route."
        return f"Wait until it is {' or '.join(held.by)}, or change the route."

    def _end_of_maintenance(self, alert: ReceivedAlert) -> str:
        now = self._clock.now()
        windows = self._manager.maintenance.windows(alert.labels, now)
        names = " and ".join(f'"{each.event.title}"' for each in windows)
        ends = max((each.ends_at for each in windows), default=now)
        return f"End the maintenance {names}, or wait until {_time(ends)}."


def _nothing_to_tell(entry: Entry | None, state: State) -> str:
    if entry is None or not entry.at:
        return "nothing fires that is not held back" if not state.firing else "not told yet"
    return f"nothing changed since the notification of {_time(entry.at)}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
