"""What the pages of alerts ask for, and do."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.alerting.alertmanager.matchers import matchers_text
from pynomaly.alerting.explain.service import NoSuchAlert
from pynomaly.web.alerts import silences
from pynomaly.web.alerts.board import AlertBoard
from pynomaly.web.alerts.calendar import Planner, add_calendar
from pynomaly.web.alerts.chart import chart_of
from pynomaly.web.alerts.deliveries import (
    DeliverySearch,
    deliveries_json,
    letter_json,
    member_json,
)
from pynomaly.web.alerts.noise import add_noise
from pynomaly.web.alerts.rerouting import add_rerouting
from pynomaly.web.alerts.routing import RouteSpec, tree_json, where_to
from pynomaly.web.alerts.silences import EndSpec, PreviewSpec, SilenceSpec
from pynomaly.web.alerts.why import why_json
from pynomaly.web.deps import AlertingDeps, WebDeps
from pynomaly.web.panels import encode

_READ = [Depends(require(Action.ALERTS_READ))]
_WRITE = [Depends(require(Action.ALERTS_WRITE))]
_Writer = Annotated[Principal, Depends(require(Action.ALERTS_WRITE))]
_Text = Annotated[str, Query(max_length=500)]
_Moment = Annotated[float, Query(ge=0, le=1e11)]


def router(deps: WebDeps, alerting: AlertingDeps) -> APIRouter:
    """Everything under ``/data`` that is about alerts but their snapshots."""
    routes = APIRouter(prefix="/data")
    board = AlertBoard(deps.alerts, alerting.manager, deps.clock)
    _add_alerts(routes, deps, alerting, board)
    _add_silences(routes, deps, alerting, board)
    _add_routing(routes, deps, alerting)
    _add_deliveries(routes, alerting)
    if deps.calendar is not None:
        planner = Planner(deps.calendar, alerting.manager, board, deps.clock)
        add_calendar(routes, deps.calendar, planner)
    add_noise(routes, alerting, deps.clock)
    if alerting.rerouting is not None:
        add_rerouting(routes, alerting.rerouting)
    return routes


def _add_alerts(
    routes: APIRouter, deps: WebDeps, alerting: AlertingDeps, board: AlertBoard
) -> None:
    @routes.get("/alerts/{fingerprint}/chart", dependencies=_READ)
    async def chart(fingerprint: str) -> Response:
        """What to draw of an alert."""
        for each in await board.all():
            if each.alert.fingerprint == fingerprint:
                return _json({"chart": chart_of(each.alert, deps.rules.groups())})
        raise NoSuchAlert("It does not fire any more.")

    @routes.get("/alerts/{fingerprint}/why", dependencies=_READ)
    async def why(fingerprint: str) -> Response:
        """For each receiver the way of the alert, and its past."""
        return _json(why_json(await alerting.explainer.explain(fingerprint), alerting.manager))


def _add_silences(
    routes: APIRouter, deps: WebDeps, alerting: AlertingDeps, board: AlertBoard
) -> None:
    kept, clock = alerting.manager.silences, deps.clock

    @routes.post("/silences/preview", dependencies=_READ)
    async def preview(spec: PreviewSpec) -> Response:
        """What a silence would hide now."""
        return _json(await silences.preview(spec, board))

    @routes.post("/silences")
    async def create(spec: SilenceSpec, request: Request, who: _Writer) -> Response:
        """Make a silence."""
        silence = await silences.create(spec, kept, clock, who.name)
        audit_detail(request, silence=silence.id, matchers=matchers_text(silence.matchers))
        return _json({"id": silence.id})

    @routes.post("/silences/{silence_id}/end", dependencies=_WRITE)
    async def move_end(silence_id: str, spec: EndSpec) -> Response:
        """Let a silence end later, or sooner."""
        return _json({"id": (await silences.move_end(silence_id, spec, kept, clock)).id})

    @routes.post("/silences/{silence_id}/expire", dependencies=_WRITE)
    async def expire(silence_id: str) -> Response:
        """End a silence now."""
        await kept.expire(silence_id)
        return _json({"id": silence_id})


def _add_routing(routes: APIRouter, deps: WebDeps, alerting: AlertingDeps) -> None:
    @routes.get("/routing", dependencies=_READ)
    async def tree() -> Response:
        """The routing tree in force."""
        return _json(tree_json(alerting.manager, deps.clock.now()))

    @routes.post("/routing/test", dependencies=_READ)
    async def test(spec: RouteSpec) -> Response:
        """Where an alert would go."""
        return _json(where_to(spec, alerting.manager, deps.clock.now()))


def _add_deliveries(routes: APIRouter, alerting: AlertingDeps) -> None:
    @routes.get("/deliveries", dependencies=_READ)
    async def deliveries(
        since: _Moment,
        until: _Moment,
        receiver: _Text = "",
        outcome: _Text = "",
        text: _Text = "",
    ) -> Response:
        """Who was told of what, the newest first; and what could not be delivered."""
        search = DeliverySearch(since, until, receiver, outcome, text)
        letters = [letter_json(letter) for letter in alerting.deliveries.letters.all()]
        found = await deliveries_json(search, alerting.explainer)
        members = [member_json(member) for member in alerting.alertmanagers()]
        receivers = sorted(alerting.manager.setup.ways)
        shown = {"dead": letters, "receivers": receivers, "alertmanagers": members}
        return _json({**found, **shown})

    @routes.post("/dead-letters/{identity}/resend", dependencies=_WRITE)
    async def resend(identity: str, request: Request) -> Response:
        """Try once more."""
        audit_detail(request, dead_letter=identity)
        told = await alerting.deliveries.resend(identity)
        return _json({"delivered": told.delivered, "reason": told.reason})

    @routes.post("/dead-letters/{identity}/drop", dependencies=_WRITE)
    async def drop(identity: str, request: Request) -> Response:
        """Forget it."""
        audit_detail(request, dead_letter=identity)
        return _json({"id": (await alerting.deliveries.letters.drop(identity)).id})


def _json(data: Any) -> Response:
    return Response(encode(data), media_type="application/json")
