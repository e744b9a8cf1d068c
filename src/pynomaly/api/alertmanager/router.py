"""The routes under ``/api/v2`` (prometheus/alertmanager, api/v2/openapi.yaml)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from pynomaly import __version__
from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.alerting.alertmanager.dump import as_yaml
from pynomaly.alerting.alertmanager.wire import moment
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.silences.errors import BadSilence
from pynomaly.alerting.silences.silence import Silence, SilenceState
from pynomaly.api.alertmanager.errors import AlertmanagerRoute, json
from pynomaly.api.alertmanager.filters import (
    ReceiverFilter,
    flag,
    match_labels,
    matchers,
    names_matchers,
)
from pynomaly.api.alertmanager.wire import (
    Blame,
    read_alerts,
    read_silence,
    show_alert,
    show_silence,
)
from pynomaly.model.clock import Clock
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.model.matcher import Matcher

API_VERSION = "0.34.0"
"""Clients choose by it how they speak, so it is a version of Alertmanager."""

_LARGEST_BODY = 64 << 20
_AT_ONCE = 500
"""Alerts looked at before others get their turn."""


class BodyTooLarge(PynomalyError):
    """More than is read of one request."""

    status = 413
    kind = "bad_data"


@dataclass(frozen=True, slots=True)
class AlertmanagerDeps:
    """What the API stands on. ``began``: epoch seconds of the server's start."""

    manager: AlertManager
    clock: Clock
    began: float


def router(deps: AlertmanagerDeps) -> APIRouter:
    """Status, receivers, alerts, groups and silences."""
    api = _Api(deps)
    routes = APIRouter(prefix="/api/v2", tags=["alertmanager"], route_class=AlertmanagerRoute)
    may_read = [Depends(require(Action.ALERTS_READ))]
    may_send = [Depends(require(Action.ALERTS_SEND))]
    may_write = [Depends(require(Action.ALERTS_WRITE))]
    for path, read in (
        ("/status", api.status),
        ("/receivers", api.receivers),
        ("/alerts", api.alerts),
        ("/alerts/groups", api.groups),
        ("/silences", api.silences),
        ("/silence/{silence_id}", api.silence),
    ):
        routes.add_api_route(path, read, methods=["GET"], dependencies=may_read)
    routes.add_api_route("/alerts", api.post_alerts, methods=["POST"], dependencies=may_send)
    routes.add_api_route("/silences", api.post_silence, methods=["POST"], dependencies=may_write)
    routes.add_api_route(
        "/silence/{silence_id}", api.delete_silence, methods=["DELETE"], dependencies=may_write
    )
    return routes


class _Api:
    def __init__(self, deps: AlertmanagerDeps) -> None:
        self._manager = deps.manager
        self._clock = deps.clock
        self._began = deps.began

    async def status(self) -> Response:
        """Version, configuration without its secrets, and that there is no cluster."""
        version = {"version": API_VERSION, "revision": f"Pynomaly {__version__}"}
        others = ("branch", "buildUser", "buildDate", "goVersion")
        return json(
            {
                "cluster": {"status": "disabled", "peers": []},
                "config": {"original": as_yaml(self._manager.setup.config)},
                "uptime": moment(self._began),
                "versionInfo": {**version, **dict.fromkeys(others, "")},
            }
        )

    async def receivers(self, request: Request) -> Response:
        """The receivers and their labels."""
        config = self._manager.setup.config
        wanted = ReceiverFilter.of(request.query_params, config)
        found = [r for r in config.receivers if wanted.takes(r.name)]
        return json([{"name": r.name, "labels": dict(r.labels)} for r in found])

    async def alerts(self, request: Request) -> Response:
        """The alerts that fire, by fingerprint."""
        choice = _Choice(request, self._manager)
        wanted = ReceiverFilter.of(request.query_params, self._manager.setup.config)
        root, now = self._manager.setup.route, self._clock.now()
        found = []
        for number, alert in enumerate(sorted(self._manager.alerts.all(), key=_fingerprint)):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            if not choice.may(alert, now):
                continue
            names = [route.receiver for route in root.match(alert.labels)]
            if any(map(wanted.takes, names)) and (blame := choice.takes(alert, now)) is not None:
                found.append(show_alert(alert, names, blame))
        return await asyncio.to_thread(json, found)

    async def groups(self, request: Request) -> Response:
        """The groups and their alerts, each as it stands in its group."""
        choice = _Choice(request, self._manager)
        wanted = ReceiverFilter.of(request.query_params, self._manager.setup.config)
        with_muted, now = flag(request.query_params, "muted"), self._clock.now()
        manager, found = self._manager, []
        for group in manager.sorted_groups():
            await asyncio.sleep(0)
            muted_by = manager.muted_by(group.route, now)
            if not wanted.takes(group.route.receiver) or (muted_by and not with_muted):
                continue
            alerts = group.sorted_alerts()
            shown = list(self._show_group(choice, alerts, muted_by, now, with_muted=with_muted))
            if shown:
                found.append(
                    {
                        "alerts": shown,
                        "labels": dict(group.labels.pairs),
                        "receiver": {"name": group.route.receiver},
                        "routeLabels": dict(group.route_labels.pairs),
                    }
                )
        return await asyncio.to_thread(json, found)

    def _show_group(
        self,
        choice: "_Choice",
        alerts: Sequence[ReceivedAlert],
        muted_by: Sequence[str],
        now: float,
        *,
        with_muted: bool,
    ) -> Iterator[dict[str, Any]]:
        for alert in alerts:
            if not choice.may(alert, now) or (blame := choice.takes(alert, now)) is None:
                continue
            if blame.muted_by and not with_muted:
                continue
            names = sorted(r.receiver for r in self._manager.setup.route.match(alert.labels))
            yield show_alert(alert, names, replace(blame, muted_by=(*muted_by, *blame.muted_by)))

    async def post_alerts(self, request: Request) -> Response:
        """Take alerts in; 200 when they are stored, 400 if some of them could not be taken."""
        document = await _document(request)
        known = self._manager.alerts
        now = self._clock.now()
        alerts, faults = read_alerts(document, now, known.resolve_timeout, known.get)
        await known.put(alerts)
        if faults:
            raise BadInput("; ".join(dict.fromkeys(faults)))
        return Response()

    async def silences(self, request: Request) -> Response:
        """The silences: active ones first, those that end or begin next before others."""
        query = request.query_params
        states = [state for state in SilenceState if flag(query, state.value)]
        wanted, now = matchers(query), self._clock.now()
        found = self._manager.silences.all(states)
        found = [silence for silence in found if names_matchers(silence, wanted)]
        found.sort(key=lambda silence: _silence_order(silence, now))
        return await asyncio.to_thread(json, [show_silence(silence, now) for silence in found])

    async def silence(self, silence_id: str) -> Response:
        """One silence."""
        return json(show_silence(self._manager.silences.get(silence_id), self._clock.now()))

    async def post_silence(self, request: Request) -> Response:
        """Create a silence, or change one; answers with the id it has then."""
        silence, now = read_silence(await _document(request)), self._clock.now()
        if silence.starts_at >= silence.ends_at:
            raise BadSilence("Failed to create silence: start time must be before end time")
        if silence.ends_at < now:
            raise BadSilence("Failed to create silence: end time can't be in the past")
        kept = await self._manager.silences.set(silence)
        return json({"silenceID": kept.id})

    async def delete_silence(self, silence_id: str) -> Response:
        """Expire a silence."""
        await self._manager.silences.expire(silence_id)
        return Response()


class _Choice:
    """Which alerts a request asks for, by their labels and by what holds them back."""

    def __init__(self, request: Request, manager: AlertManager) -> None:
        query = request.query_params
        self._manager = manager
        self._matchers: tuple[Matcher, ...] = matchers(query)
        self._active = flag(query, "active")
        self._silenced = flag(query, "silenced")
        self._inhibited = flag(query, "inhibited")

    def may(self, alert: ReceivedAlert, now: float) -> bool:
        """Whether it fires and has the labels."""
        return not alert.ends_at < now and match_labels(self._matchers, alert.labels)

    def takes(self, alert: ReceivedAlert, now: float) -> Blame | None:
        """What holds it back; None if it is not asked for.

        Windows of maintenance are none of Alertmanager's: they mute, and who asks for what is not
        silenced does not ask for that either.
        """
        silenced = self._manager.silencer.silenced_by(alert.fingerprint, alert.labels)
        inhibitor = self._manager.setup.inhibitor
        found = inhibitor.inhibited_by(alert.fingerprint, alert.labels, now)
        inhibited = (found.source,) if found is not None else ()
        windows = self._manager.maintenance.windows(alert.labels, now)
        quiet = bool(silenced or windows)
        wanted = (
            (self._active or quiet or inhibited)
            and (self._silenced or not quiet)
            and (self._inhibited or not inhibited)
        )
        muted_by = tuple(f"maintenance: {window.event.title}" for window in windows)
        return Blame(silenced, inhibited, muted_by) if wanted else None


async def _document(request: Request) -> object:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise BodyTooLarge(f"the body is larger than {_LARGEST_BODY >> 20} MiB")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"parsing the body failed: {error}") from error


def _fingerprint(alert: ReceivedAlert) -> str:
    return alert.fingerprint


_STATES = [SilenceState.ACTIVE, SilenceState.PENDING, SilenceState.EXPIRED]


def _silence_order(silence: Silence, now: float) -> tuple[int, float]:
    state = silence.state(now)
    at = {
        SilenceState.ACTIVE: silence.ends_at,
        SilenceState.PENDING: silence.starts_at,
        SilenceState.EXPIRED: -silence.ends_at,
    }[state]
    return _STATES.index(state), at
