"""What passes the middleware and ``require``, as a client sees it."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from pynomaly.access.asgi import AccessMiddleware, Guarded, audit_detail, require
from pynomaly.access.audit import AuditLog
from pynomaly.access.config import AccessSettings
from pynomaly.access.errors import InsecureBinding
from pynomaly.access.gate import Gate, check_binding
from pynomaly.access.policy import Action, Policy, Principal, PrincipalKind, Role
from pynomaly.access.routes import unguarded_routes
from pynomaly.model.clock import FakeClock
from pynomaly.model.errors import PynomalyError

TOKEN = "a-token-of-tests"
PASSWORD = "pass:wörd of tests"
LOGIN = AccessSettings.model_validate({"token": TOKEN, "password": PASSWORD})
REMOTE = "192.0.2.9"
SOCKET = "ws://localhost:8090/api/ws"

Connect = Callable[..., TestClient]


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)
    routes = APIRouter(prefix="/api")

    @routes.get("/who")
    def who(principal: Annotated[Principal, Depends(require(Action.METRICS_READ))]) -> str:
        return f"{principal.kind}:{principal.name}"

    @routes.get("/health", dependencies=[Depends(require(Action.HEALTH_READ))])
    def health() -> str:
        return "ok"

    @routes.post("/config/{name}", dependencies=[Depends(require(Action.CONFIG_WRITE))])
    def change(name: str, request: Request) -> Response:
        audit_detail(request, name=name, password="hunter22")
        if name == "crash":
            raise RuntimeError("a bug")
        return Response(status_code=422 if name == "wrong" else 204)

    @routes.post("/sent", dependencies=[Depends(require(Action.ALERTS_SEND))])
    @routes.post("/push", dependencies=[Depends(require(Action.METRICS_WRITE))])
    def push() -> str:
        return "stored"

    @routes.websocket("/ws")
    async def socket(
        websocket: WebSocket, who: Annotated[Principal, Depends(require(Action.METRICS_READ))]
    ) -> None:
        await websocket.accept()
        await websocket.send_text(who.name)
        await websocket.close()

    app.include_router(routes)

    @app.exception_handler(PynomalyError)
    def explain(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, PynomalyError)
        return JSONResponse({"error": str(error)}, error.status)

    return app


@pytest.fixture
def connect(audit: AuditLog) -> Connect:
    def build(
        settings: AccessSettings | None = None,
        client: str = "127.0.0.1",
        app: ASGIApp | None = None,
        base_url: str = "http://localhost:8090",
        **gate: Any,
    ) -> TestClient:
        guard = Gate(settings or AccessSettings(), ports=[8080, 8090], **gate)
        return TestClient(
            AccessMiddleware(app or application(), guard, audit),
            base_url=base_url,
            client=(client, 1),
            raise_server_exceptions=False,
        )

    return build


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


def test_loopback_without_login_is_the_local_administrator(connect: Connect) -> None:
    assert connect().get("/api/who").json() == "local:local"


def test_a_remote_client_is_told_to_log_in_and_how(connect: Connect) -> None:
    answer = connect(LOGIN, REMOTE).get("/api/who")
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [
        'Basic realm="Pynomaly", charset="UTF-8"',
        'Bearer realm="Pynomaly"',
    ]
    assert "metrics:read on GET /api/who needs a login" in answer.json()["error"]


def test_without_a_password_no_browser_is_made_to_ask_for_one(connect: Connect) -> None:
    only_token = AccessSettings.model_validate({"token": TOKEN})
    answer = connect(only_token, REMOTE).get("/api/who")
    assert answer.headers.get_list("www-authenticate") == ['Bearer realm="Pynomaly"']


def test_a_token_lets_in(connect: Connect) -> None:
    answer = connect(LOGIN, REMOTE).get("/api/who", headers=bearer(TOKEN))
    assert answer.json() == "token:token"


def test_a_password_lets_in_under_its_user_name(connect: Connect) -> None:
    answer = connect(LOGIN, REMOTE).get("/api/who", headers=basic("admin", PASSWORD))
    assert answer.json() == "password:admin"


@pytest.mark.parametrize(
    "headers",
    [
        bearer("a-token-of-test"),
        bearer(""),
        bearer(PASSWORD.encode().decode("ascii", "ignore")),
        basic("admin", "wrong"),
        basic("root", PASSWORD),
        basic("admin", ""),
        basic("", TOKEN),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic YWRtaW4="},
        {"Authorization": TOKEN},
        {"Authorization": f"Digest {TOKEN}"},
    ],
)
@pytest.mark.parametrize("client", [REMOTE, "127.0.0.1"])
def test_wrong_credentials_are_refused_also_on_loopback(
    connect: Connect, headers: dict[str, str], client: str
) -> None:
    answer = connect(LOGIN, client).get("/api/who", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "The credentials are wrong."


def test_an_empty_secret_is_no_secret(connect: Connect) -> None:
    only_password = AccessSettings.model_validate({"password": PASSWORD})
    answer = connect(only_password, REMOTE).get("/api/who", headers=bearer(""))
    assert answer.status_code == 401


def test_credentials_that_nobody_asked_for_do_no_harm_on_loopback(connect: Connect) -> None:
    assert connect().get("/api/who", headers=bearer("whatever")).json() == "local:local"


def test_secrets_may_lie_in_files(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    settings = AccessSettings.model_validate({"token_file": path})
    answer = connect(settings, REMOTE).get("/api/who", headers=bearer(TOKEN))
    assert answer.json() == "token:token"


def test_a_file_without_a_secret_keeps_the_server_from_starting(tmp_path: Path) -> None:
    settings = AccessSettings.model_validate({"password_file": tmp_path / "none"})
    with pytest.raises(InsecureBinding, match=r"password_file: cannot read .*none: No such file"):
        Gate(settings)
    (tmp_path / "none").write_text("  \n")
    with pytest.raises(InsecureBinding, match="shorter than 8 characters"):
        Gate(settings)


def test_a_client_behind_a_proxy_on_this_machine_is_not_the_administrator(
    connect: Connect,
) -> None:
    client = connect(LOGIN)
    answer = client.get("/api/who", headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 401
    assert "through a proxy that is not trusted (x-forwarded-for)" in answer.json()["error"]


def test_a_trusted_proxy_is_believed(connect: Connect) -> None:
    client = connect(LOGIN, trusted_proxies=["127.0.0.1"])
    remote = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}
    assert client.get("/api/who", headers=remote).status_code == 401
    assert client.get("/api/who", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 200
    assert client.get("/api/who").status_code == 401


def test_loopback_need_not_be_trusted(connect: Connect) -> None:
    settings = LOGIN.model_copy(update={"trust_loopback": False})
    client = connect(settings)
    answer = client.get("/api/who")
    assert answer.status_code == 401
    assert "(access.trust_loopback is false)" in answer.json()["error"]
    assert client.get("/api/who", headers=bearer(TOKEN)).status_code == 200


def test_probes_need_no_login(connect: Connect) -> None:
    assert connect(LOGIN, REMOTE).get("/api/health").status_code == 200


def test_a_rebound_name_is_refused_before_anything_else(connect: Connect, audit: AuditLog) -> None:
    answer = connect().post("/api/config/x", headers={"Host": "evil.example:8090"})
    assert answer.status_code == 421
    assert "'evil.example:8090' is not a name of this server" in answer.json()["error"]
    assert "server.allowed_hosts" in answer.json()["error"]
    assert audit.entries() == []


def test_a_configured_name_is_ours(connect: Connect) -> None:
    client = connect(base_url="http://mon.example", allowed_hosts=["mon.example"])
    assert client.get("/api/who").status_code == 200


def test_a_foreign_page_may_not_change_anything(connect: Connect) -> None:
    client = connect()
    for origin in ("http://evil.example", "http://localhost:3000", "null"):
        answer = client.post("/api/config/x", headers={"Origin": origin})
        assert answer.status_code == 403
        assert "access.allowed_origins" in answer.json()["error"]


def test_our_own_pages_and_programs_may(connect: Connect) -> None:
    client = connect()
    own = {"Origin": "http://localhost:8080"}
    assert client.post("/api/config/x", headers=own).status_code == 204
    assert client.post("/api/config/x").status_code == 204


def test_reading_is_not_bound_to_an_origin(connect: Connect) -> None:
    answer = connect().get("/api/who", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_socket_is_opened_for_its_principal(connect: Connect) -> None:
    with connect().websocket_connect(SOCKET) as socket:
        assert socket.receive_text() == "local"
    with connect(LOGIN, REMOTE).websocket_connect(SOCKET, headers=bearer(TOKEN)) as socket:
        assert socket.receive_text() == "token"


@pytest.mark.parametrize(
    ("client", "headers", "reason"),
    [
        (REMOTE, {}, "needs a login"),
        (REMOTE, bearer("wrong-token"), "credentials are wrong"),
        ("127.0.0.1", {"Origin": "http://evil.example"}, "may not act here"),
        ("127.0.0.1", {"Host": "evil.example"}, "not a name of this server"),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, "through a proxy"),
    ],
)
def test_a_socket_is_refused_before_it_opens(
    connect: Connect, client: str, headers: dict[str, str], reason: str
) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        connect(LOGIN, client).websocket_connect(SOCKET, headers=headers),
    ):
        pass
    assert caught.value.code == 1008
    assert reason in caught.value.reason


def test_a_write_leaves_a_row_with_its_principal_and_outcome(
    connect: Connect, audit: AuditLog
) -> None:
    client = connect(LOGIN, REMOTE)
    for name in ("good", "wrong", "crash"):
        client.post(
            f"/api/config/{name}?token=hunter22",
            headers={**bearer(TOKEN), "X-Request-Id": f"id-{name}"},
        )
    found = [
        (e.principal, e.action, e.resource, e.outcome, e.source, e.request_id, e.detail)
        for e in reversed(audit.entries())
    ]
    assert found == [
        (
            "token",
            "config:write",
            f"POST /api/config/{name}",
            outcome,
            REMOTE,
            f"id-{name}",
            {"name": name, "password": "[hidden]"},
        )
        for name, outcome in (("good", "ok"), ("wrong", "failed"), ("crash", "failed"))
    ]


def test_reading_leaves_no_row(connect: Connect, audit: AuditLog) -> None:
    connect().get("/api/who")
    audit.close()
    assert audit.entries() == []


@pytest.mark.parametrize("path", ["/api/push", "/api/sent"])
def test_what_machines_send_is_counted_and_not_listed(
    connect: Connect, audit: AuditLog, path: str
) -> None:
    client = connect()
    for _ in range(5):
        client.post(path)
    assert audit.entries() == []
    audit.close()
    assert [(e.principal, e.resource, e.count) for e in audit.entries()] == [
        ("local", f"POST {path}", 5)
    ]


def test_those_who_are_not_let_in_are_counted_with_their_address(
    connect: Connect, audit: AuditLog
) -> None:
    client = connect(LOGIN, REMOTE)
    client.post("/api/config/x")
    client.get("/api/who", headers=bearer("guess-number-1"))
    client.get("/api/who", headers=bearer("guess-number-2"))
    audit.close()
    found = {(e.principal, e.action, e.outcome, e.source, e.count) for e in audit.entries()}
    assert found == {
        ("anonymous", "config:write", "denied", REMOTE, 1),
        ("anonymous", "login", "denied", REMOTE, 2),
    }


def test_a_principal_without_the_permission_is_told_why_and_noted(
    connect: Connect, audit: AuditLog
) -> None:
    readers = Policy({Role.ADMIN: frozenset({Action.METRICS_READ})})
    client = connect(policy=readers)
    assert client.get("/api/who").status_code == 200
    answer = client.post("/api/config/x")
    assert answer.status_code == 403
    reason = "no role of local is granted config:write on POST /api/config/x"
    assert answer.json()["error"] == f"{reason}."
    entry = audit.entries()[0]
    assert (entry.principal, entry.outcome, entry.detail) == ("local", "denied", {"reason": reason})


def test_every_answer_has_a_request_id(connect: Connect) -> None:
    client = connect()
    assert client.get("/api/who", headers={"X-Request-Id": "given"}).headers["x-request-id"] == (
        "given"
    )
    made = client.get("/api/who", headers={"X-Request-Id": "not fit for a log"})
    assert len(made.headers["x-request-id"]) == 16


def test_an_application_without_the_middleware_lets_nobody_in() -> None:
    client = TestClient(application(), raise_server_exceptions=False)
    assert client.get("/api/health").status_code == 500


def test_a_mounted_application_is_guarded(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "page.css").write_text("body {}")
    app = application()
    app.mount("/static", Guarded(StaticFiles(directory=tmp_path), Action.PAGES_READ))
    assert connect(app=app).get("/static/page.css").text == "body {}"
    assert connect(LOGIN, REMOTE, app=app).get("/static/page.css").status_code == 401


def test_every_way_in_that_asks_nobody_is_found(tmp_path: Path) -> None:
    app = application()
    assert unguarded_routes(app) == []
    inner = APIRouter()
    guarded = APIRouter(dependencies=[Depends(require(Action.ADMIN))])
    outer = APIRouter(prefix="/outer")

    @inner.get("/open")
    def a() -> None: ...

    @guarded.post("/closed")
    def b() -> None: ...

    @inner.websocket("/socket")
    async def c(websocket: WebSocket) -> None: ...

    def plain(request: Request) -> Response:
        return Response()

    outer.include_router(inner)
    app.include_router(outer)
    app.include_router(guarded)
    app.mount("/files", StaticFiles(directory=tmp_path))
    app.mount("/kept", Guarded(StaticFiles(directory=tmp_path), Action.PAGES_READ))
    app.router.routes.append(Mount("/sub", routes=[Route("/plain", plain)]))
    assert unguarded_routes(app) == [
        "GET /outer/open",
        "GET,HEAD /sub/plain",
        "MOUNT /files",
        "WS /outer/socket",
    ]


def test_the_documentation_pages_of_fastapi_count_as_unguarded() -> None:
    assert "GET,HEAD /openapi.json" in unguarded_routes(FastAPI())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_login(host: str) -> None:
    check_binding(host, AccessSettings())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mon.example.com", ""])
def test_any_other_address_needs_one(host: str) -> None:
    with pytest.raises(InsecureBinding) as caught:
        check_binding(host, AccessSettings())
    assert "PYNOMALY_PASSWORD" in str(caught.value)
    assert "PYNOMALY_TOKEN" in str(caught.value)
    assert "\n" not in str(caught.value)
    check_binding(host, LOGIN)


def test_decisions_give_their_reason() -> None:
    policy = Policy()
    nobody = Principal("x", PrincipalKind.TOKEN)
    admin = Principal("y", PrincipalKind.TOKEN, frozenset({Role.ADMIN}))
    assert policy.authorize(nobody, Action.HEALTH_READ).reason == "health:read is open to everyone"
    assert policy.authorize(admin, Action.ADMIN).reason == "y has the role admin"
    refused = policy.authorize(nobody, Action.ADMIN, "GET /x")
    assert (refused.allowed, refused.login_helps) == (False, False)
    assert refused.reason == "no role of x is granted admin on GET /x"


def test_settings_and_credentials_show_no_secret() -> None:
    shown = repr(LOGIN) + repr(vars(Gate(LOGIN)._credentials))
    assert TOKEN not in shown
    assert PASSWORD not in shown


def test_audit_rows_carry_the_time_of_the_clock(
    connect: Connect, audit: AuditLog, clock: FakeClock
) -> None:
    connect().post("/api/config/x")
    assert audit.entries()[0].at == clock.now()
