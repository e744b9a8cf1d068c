"""``/api/v1/rules`` and ``/api/v1/alerts``, in the shape of Prometheus 3."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import compressed, encode_data
from pynomaly.api.prometheus.parameters import InvalidParameter
from pynomaly.api.prometheus.selections import parse_selections
from pynomaly.model.alert import Alert
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, all_match
from pynomaly.rules.evaluate import RuleState
from pynomaly.rules.group import GroupRunner
from pynomaly.rules.manager import RuleManager
from pynomaly.rules.template import format_scientific

_ZERO_TIME = "0001-01-01T00:00:00Z"  # what Go says for "never"


def router(manager: RuleManager) -> APIRouter:
    """The two routes under ``/api/v1``."""
    routes = APIRouter(prefix="/api/v1", tags=["prometheus"])

    @routes.get("/rules", dependencies=[Depends(require(Action.RULES_READ))])
    async def rules(request: Request) -> Response:
        """Every rule with its state; filtered by type, names, groups, files and labels."""
        wanted, page = _selection(request), Page.of(request)
        without_alerts = _without_alerts(request)
        shown = ((r.group.key, _group(r, wanted, without_alerts)) for r in manager.groups())
        return _answer(request, page.cut([(key, group) for key, group in shown if group]))

    @routes.get("/alerts", dependencies=[Depends(require(Action.ALERTS_READ))])
    async def alerts(request: Request) -> Response:
        """Every pending and firing alert."""
        return _answer(request, {"alerts": [_alert(alert) for alert in manager.alerts()]})

    return routes


def _answer(request: Request, data: Any) -> Response:
    accepted = request.headers.get("accept-encoding", "")
    body, headers = compressed(encode_data(data), accepted)
    return Response(body, headers=headers, media_type="application/json")


def _selection(request: Request) -> Callable[[GroupRunner, RuleState], bool]:
    query = request.query_params
    kind = query.get("type", "").lower()
    if kind not in ("", "alert", "record"):
        raise InvalidParameter("type", f'not supported value "{kind}"')
    names, groups = set(query.getlist("rule_name[]")), set(query.getlist("rule_group[]"))
    files = set(query.getlist("file[]"))
    try:
        selections = parse_selections(query.getlist("match[]"))
    except PynomalyError as error:
        raise InvalidParameter("match[]", error.message) from error

    def wanted(runner: GroupRunner, state: RuleState) -> bool:
        return (
            (not kind or bool(getattr(state.rule, kind)))
            and (not names or state.rule.name in names)
            and (not groups or runner.group.name in groups)
            and (not files or runner.group.file in files)
            and (not selections or any(_has(state, matchers) for matchers in selections))
        )

    return wanted


def _has(state: RuleState, matchers: Sequence[Matcher]) -> bool:
    """Whether the labels of a rule satisfy every matcher; templates are compared as they stand."""
    return all_match(matchers, Labels(state.labels))


@dataclass(frozen=True, slots=True)
class Page:
    """Which groups to show at once: ``limit`` of them (0: all), from that of ``token`` on."""

    limit: int = 0
    token: str = ""

    @classmethod
    def of(cls, request: Request) -> "Page":
        """``group_limit`` and ``group_next_token`` of a request."""
        limit = request.query_params.get("group_limit", "")
        token = request.query_params.get("group_next_token", "")
        if token and not limit:
            fault = "group_limit needs to be present in order to paginate over the groups"
            raise InvalidParameter("group_next_token", fault)
        if limit and not limit.isdecimal():
            raise InvalidParameter("group_limit", "group_limit needs to be a valid number")
        if limit and int(limit) == 0:
            raise InvalidParameter("group_limit", "group_limit needs to be greater than 0")
        return cls(int(limit or 0), token)

    def cut(self, groups: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        """The groups of this page, and the token of the next one if there is one."""
        tokens = [_token(key) for key, _ in groups]
        if self.token and self.token not in tokens:
            fault = f"invalid group_next_token '{self.token}'. were rule groups changed?"
            raise InvalidParameter("group_next_token", fault)
        first = tokens.index(self.token) if self.token else 0
        last = first + self.limit if self.limit else len(groups)
        shown: dict[str, Any] = {"groups": [group for _, group in groups[first:last]]}
        return shown if last >= len(groups) else {**shown, "groupNextToken": tokens[last]}


def _token(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _without_alerts(request: Request) -> bool:
    text = request.query_params.get("exclude_alerts", "").lower()
    if text not in ("", "0", "f", "false", "1", "t", "true"):
        raise InvalidParameter("exclude_alerts", f'"{text}" is neither true nor false')
    return text in ("1", "t", "true")


def _group(
    runner: GroupRunner, wanted: Callable[[GroupRunner, RuleState], bool], without_alerts: bool
) -> Mapping[str, Any] | None:
    rules = [_rule(state, without_alerts) for state in runner.rules if wanted(runner, state)]
    if not rules:
        return None
    return {
        "name": runner.group.name,
        "file": runner.group.file,
        "rules": rules,
        "interval": runner.interval,
        "limit": runner.group.limit,
        "evaluationTime": runner.evaluation_seconds,
        "lastEvaluation": rfc3339(runner.last_evaluation),
    }


def _rule(state: RuleState, without_alerts: bool) -> dict[str, Any]:
    rule = state.rule
    shown: dict[str, Any] = {"name": rule.name, "query": rule.expr, "labels": dict(state.labels)}
    if rule.alert:
        shown |= {
            "state": state.state,
            "duration": rule.hold,
            "keepFiringFor": rule.keep_firing_for,
            "annotations": rule.annotations,
            "alerts": [] if without_alerts else [_alert(a) for a in state.alerts.active()],
        }
    shown |= {"health": state.health, "type": "alerting" if rule.alert else "recording"}
    if state.last_error:
        shown["lastError"] = state.last_error
    shown["evaluationTime"] = state.evaluation_seconds
    shown["lastEvaluation"] = rfc3339(state.last_evaluation)
    return shown


def _alert(alert: Alert) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state.value,
        "activeAt": rfc3339(alert.active_at),
        "value": format_scientific(alert.value),
    }
    if alert.keep_firing_since:
        shown["keepFiringSince"] = rfc3339(alert.keep_firing_since)
    return shown


def rfc3339(at: float) -> str:
    """Epoch seconds as clients of Prometheus read times; 0 is "never"."""
    if not at:
        return _ZERO_TIME
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
