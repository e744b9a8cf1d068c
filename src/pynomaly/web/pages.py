"""The pages: each a template with what it needs to begin."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from pynomaly.web.assets import Assets
from pynomaly.web.deps import WebDeps
from pynomaly.web.detection import detection_boot
from pynomaly.web.overview import ANOMALIES, CHARTS, HOST_TILES
from pynomaly.web.panels import encode
from pynomaly.web.rules import find_rule, rule_page, rulebook
from pynomaly.web.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it is, what it is called, and the question that it answers."""

    name: str
    path: str
    label: str
    question: str
    respond: Callable[[Request], Awaitable[Response]]


_PAGES = (
    ("overview", "/", "Overview", "Is all well?"),
    ("explore", "/explore", "Explore", "What do the numbers say?"),
    ("alerts", "/alerts", "Alerts", "What is wrong?"),
    ("anomalies", "/anomalies", "Anomalies", "What is unusual?"),
    ("targets", "/targets", "Targets", "Who answers?"),
    ("rules", "/rules", "Rules", "Do the rules work?"),
)
_ALERT_PAGES = (
    ("silences", "/silences", "Silences", "What is silenced?"),
    ("calendar", "/calendar", "Calendar", "What is planned?"),
    ("routing", "/routing", "Routing", "Who is told of what?"),
    ("rerouting", "/routing/backtest", "Backtest", "Who would have been told?"),
    ("deliveries", "/deliveries", "Deliveries", "Who was told?"),
    ("noise", "/noise", "Noise", "What tells in vain?"),
)
_ANOMALY_PAGES = (
    ("detectbacktest", "/anomalies/backtest", "Backtest", "What would have been flagged?"),
    ("models", "/anomalies/models", "Models", "How do the trained models do?"),
)
_INNER_PAGES = (
    ("rule", "/rule", "Rule", "How does this rule do?"),
    ("alert", "/alert", "Alert", "Why?"),
)
_PARENTS = (
    {"rule": "rules", "alert": "alerts"}
    | {page[0]: "alerts" for page in _ALERT_PAGES}
    | {page[0]: "anomalies" for page in _ANOMALY_PAGES}
)

_NOTHING: Mapping[str, Any] = {}
_RUNBOOK_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Pages:
    """Renders the pages."""

    def __init__(self, deps: WebDeps, assets: Assets) -> None:
        self._deps = deps
        self._assets = assets
        self._snapshots = Snapshots(deps)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def all(self) -> list[Page]:
        """Every page that exists; the bar at the left shows those that need no parameter."""
        return [
            Page(*row, self._responder(row[0], row[3]))
            for row in (*_PAGES, *_ALERT_PAGES, *_ANOMALY_PAGES, *_INNER_PAGES)
        ]

    async def runbook(self, name: str) -> Response:
        """What to do about an alert, as its runbook says; 404 when there is none."""
        text = await asyncio.to_thread(self._read_runbook, name)
        if text is None:
            return HTMLResponse(await self._render("runbook", name, text="No such runbook."), 404)
        return HTMLResponse(await self._render("runbook", name, text=text))

    def _read_runbook(self, name: str) -> str | None:
        folder = self._deps.runbooks
        if folder is None or not _RUNBOOK_NAME.fullmatch(name):
            return None
        path = folder / f"{name}.md"
        return path.read_text("utf-8") if path.is_file() else None

    def _responder(self, name: str, question: str) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            boot = self._boot_of_rule(request) if name == "rule" else {}
            if name == "alert":
                boot = {"fingerprint": request.query_params.get("fingerprint", "")}
            return HTMLResponse(await self._render(name, question, boot))

        return respond

    async def _render(
        self, name: str, question: str, boot: Mapping[str, Any] = _NOTHING, **more: str
    ) -> str:
        return self._templates.get_template(f"{name}.html").render(
            name=name,
            question=question,
            current=_PARENTS.get(name, name),
            pages=_PAGES,
            alert_pages=(*(page for page in _PAGES if page[0] == "alerts"), *_ALERT_PAGES),
            anomaly_pages=(*(page for page in _PAGES if page[0] == "anomalies"), *_ANOMALY_PAGES),
            root=self._assets.root,
            plotly=self._assets.plotly,
            version=self._deps.version,
            api_url=self._deps.api_url,
            boot=_in_script({**await self._boot(name), **boot}),
            **more,
        )

    async def _boot(self, name: str) -> dict[str, Any]:
        """What a page shows before its connection is open."""
        boot: dict[str, Any] = {
            "page": name,
            "at": self._deps.clock.now(),
            "plotly": self._assets.plotly,
            "version": self._deps.version,
            "api": self._deps.api_url,
            "pages": [
                {"name": n, "path": p, "label": t} for n, p, t, _ in (*_PAGES, *_ALERT_PAGES)
            ],
            "runbooks": self._deps.runbooks is not None,
            "external": self._deps.external_url,
            "alerting": self._deps.alerting is not None,
            "calendar": self._deps.calendar is not None and self._deps.alerting is not None,
            "alerts": await self._snapshots.take("alerts"),
        }
        if name in ("overview", "targets"):
            boot["targets"] = await self._snapshots.take("targets")
        if name in ("silences", "alerts"):
            boot["silences"] = await self._snapshots.take("silences")
        if name == "anomalies":
            boot["anomalies"] = await self._snapshots.take("anomalies")
        if _PARENTS.get(name) == "anomalies":
            boot["detection"] = detection_boot(self._deps.detection)
        if name in ("rules", "rule"):
            boot["rules"] = await self._snapshots.take("rules")
        if name == "rules":
            boot["rulebook"] = rulebook(self._deps.rules.groups(), self._deps.notes)
        if name == "overview":
            boot |= {"tiles": HOST_TILES, "charts": CHARTS, "anomalies": ANOMALIES}
            boot["overview"] = await self._snapshots.take("overview")
        return boot

    def _boot_of_rule(self, request: Request) -> dict[str, Any]:
        """The rule that a page is about; None when there is none of its id."""
        wanted = request.query_params.get("id", "")
        found = find_rule(self._deps.rules.groups(), wanted)
        shown = {} if found is None else rule_page(wanted, *found, self._deps.notes)
        return {"rule": shown or None, "backtests": self._deps.backtests is not None}


def explorer_address(prometheus: Iterable[tuple[str, str]]) -> str:
    """Where the explorer shows what the parameters of Prometheus's page /graph ask for.

    >>> explorer_address([("g0.expr", "up > 0"), ("g0.tab", "1")])
    '/explore?q=up+%3E+0&view=table'
    """
    given = list(prometheus)
    wanted = [("q", value) for name, value in given if re.fullmatch(r"g\d+\.expr", name)]
    table = any(name == "g0.tab" and value in ("1", "table") for name, value in given)
    return "/explore?" + urlencode([*wanted, *([("view", "table")] if table else [])])


def _in_script(data: Any) -> str:
    """JSON that may stand inside of a script element of HTML."""
    return encode(data).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028")
