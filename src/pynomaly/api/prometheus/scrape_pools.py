"""``scrape_pools/config`` and ``targets/relabel_steps``: what a job is told, and what that does."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import encode_data
from pynomaly.api.prometheus.parameters import Form
from pynomaly.api.prometheus.readiness import ready_only
from pynomaly.ingest.scrape.config import ScrapeConfig
from pynomaly.ingest.scrape.relabel import RelabelRule
from pynomaly.model.errors import BadInput

_SHOWN_ALWAYS = ("separator", "replacement")


@dataclass(frozen=True, slots=True)
class PoolDeps:
    """``job`` gives the configuration of a pool, None if there is none of that name; ``as_yaml``
    shows it without secrets."""

    ready: Callable[[], bool]
    job: Callable[[str], ScrapeConfig | None]
    as_yaml: Callable[[ScrapeConfig], str]


def router(deps: PoolDeps) -> APIRouter:
    """The routes; both show configuration."""
    needs = [Depends(require(Action.CONFIG_READ)), Depends(ready_only(deps.ready))]
    routes = APIRouter(prefix="/api/v1", tags=["prometheus"], dependencies=needs)

    async def config(request: Request) -> Response:
        return _json({"yaml": deps.as_yaml(_job(deps, await Form.of(request)))})

    async def relabel_steps(request: Request) -> Response:
        form = await Form.of(request)
        if not form.get("scrapePool"):
            raise BadInput("no scrapePool parameter provided")
        labels = _labels(form.get("labels"))
        return _json({"steps": _steps(_job(deps, form).relabel_configs, labels)})

    routes.add_api_route("/scrape_pools/config", config)
    routes.add_api_route("/targets/relabel_steps", relabel_steps)
    return routes


def _json(data: Any) -> Response:
    return Response(encode_data(data), media_type="application/json")


def _job(deps: PoolDeps, form: Form) -> ScrapeConfig:
    name = form.get("scrapePool")
    if not name:
        raise BadInput("no scrapePool parameter provided")
    job = deps.job(name)
    if job is None:
        quoted = json.dumps(name, ensure_ascii=False)
        raise BadInput(f"error retrieving scrape config: scrape pool {quoted} not found")
    return job


def _labels(text: str) -> dict[str, str]:
    if not text:
        raise BadInput("no labels parameter provided")
    try:
        labels = json.loads(text)
    except ValueError as error:
        raise BadInput(f"error parsing labels: {error}") from error
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise BadInput("error parsing labels: an object of texts is expected")
    return labels


def _steps(rules: list[RelabelRule], labels: dict[str, str]) -> list[dict[str, Any]]:
    """What each rule makes of the labels; nothing is left behind a rule that drops them."""
    steps, keep = [], True
    for rule in rules:
        keep = keep and rule.apply(labels)
        left = {name: value for name, value in sorted(labels.items()) if value} if keep else {}
        steps.append({"rule": _rule(rule), "output": left, "keep": keep})
    return steps


def _rule(rule: RelabelRule) -> dict[str, Any]:
    """As Prometheus shows it: without what is not set (model/relabel, Config)."""
    said = rule.model_dump()
    return {name: value for name, value in said.items() if value or name in _SHOWN_ALWAYS}
