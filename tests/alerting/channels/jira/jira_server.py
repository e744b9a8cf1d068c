"""As much of Jira's REST API as its issues of alerts need."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

_LABEL = re.compile(r'labels="([^"]+)"')
_TRANSITIONS = {"11": ("Start", "indeterminate"), "21": ("Close", "done"), "31": ("Reopen", "new")}


class Jira:
    """Issues by key; ``calls`` are the requests, ``fail`` the statuses of the next ones."""

    def __init__(self) -> None:
        self.url = ""
        self.issues: dict[str, dict[str, Any]] = {}
        self.status: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.queries: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.fail: list[int] = []

    def labelled(self, jql: str) -> list[str]:
        found = _LABEL.search(jql)
        assert found is not None, jql
        open_only = "statusCategory != Done" in jql
        keys = [k for k, fields in self.issues.items() if found[1] in fields["labels"]]
        return [k for k in keys if not open_only or self.status[k] != "done"]

    async def answer(self, request: web.Request) -> web.Response:
        path = re.sub(r"^/rest/api/[23]", "", request.path)
        self.calls.append((request.method, request.path))
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        if self.fail:
            said = {"errorMessages": ["not so"], "errors": {"priority": "is not on the screen"}}
            return web.json_response(said, status=self.fail.pop(0))
        body = await request.json() if request.body_exists else {}
        if path in ("/search", "/search/jql"):
            self.queries.append(body["jql"])
            assert body["fields"] == ["status"]
            return web.json_response(
                {"issues": [self.shown(k) for k in self.labelled(body["jql"])]}
            )
        if (request.method, path) == ("POST", "/issue"):
            key = f"OPS-{len(self.issues) + 1}"
            self.issues[key], self.status[key] = body["fields"], "new"
            return web.json_response({"id": "1", "key": key}, status=201)
        key, _, rest = path.removeprefix("/issue/").partition("/")
        if rest == "transitions":
            return self.transitions(key, request.method, body)
        self.issues[key] |= body["fields"]
        return web.Response(status=204)

    def transitions(self, key: str, method: str, body: dict[str, Any]) -> web.Response:
        if method == "GET":
            known = [{"id": i, "name": name} for i, (name, _) in _TRANSITIONS.items()]
            return web.json_response({"transitions": known})
        self.status[key] = _TRANSITIONS[body["transition"]["id"]][1]
        return web.Response(status=204)

    def shown(self, key: str) -> dict[str, Any]:
        return {
            "key": key,
            "fields": {"status": {"name": "x", "statusCategory": {"key": self.status[key]}}},
        }


@asynccontextmanager
async def jira() -> AsyncIterator[Jira]:
    handler = Jira()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handler.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield handler
    finally:
        await runner.cleanup()
