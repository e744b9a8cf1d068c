"""Access control of an ASGI application: a middleware before it, ``require`` at each route."""

import asyncio
from typing import Any

import orjson
from fastapi import WebSocketException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pynomaly.access.audit import AuditLog
from pynomaly.access.errors import AccessDenied, WrongHost
from pynomaly.access.gate import DENIED, Admission, Gate, PendingAudit
from pynomaly.access.policy import Action, Principal, PrincipalKind

_POLICY_VIOLATION = 1008


class Require:
    """The dependency that ``require`` makes; tests find it at a route by its type."""

    def __init__(self, action: Action) -> None:
        self.action = action

    # Not a plain function: FastAPI would run that in a thread, once a request.
    async def __call__(self, connection: HTTPConnection) -> Principal:
        """Answer with the principal, or refuse."""
        try:
            return authorize(connection.scope, self.action)
        except AccessDenied as error:
            if connection.scope["type"] == "websocket":
                raise WebSocketException(_POLICY_VIOLATION, error.message[:120]) from error
            raise


def require(action: Action) -> Require:
    """Let a route or a socket be used only by those who may do ``action``.

    ``Depends(require(Action.METRICS_READ))``, at a route, a router or the application; as a
    parameter it gives the ``Principal``. If the action is a write, the answer to the request
    leaves an audit row; ``audit_detail(request)`` adds to it.

    Raises (when a request comes):
        AccessDenied: 401 without a login, 403 without the permission; sockets close with 1008.
    """
    return Require(action)


class Guarded:
    """An ASGI application behind a permission: for mounted ones, such as static files."""

    def __init__(self, app: ASGIApp, action: Action) -> None:
        self.app = app
        self.action = action

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask, then pass on."""
        try:
            authorize(scope, self.action)
        except AccessDenied as error:
            await _refuse(error, scope, send)
            return
        await self.app(scope, receive, send)


def authorize(scope: Scope, action: Action) -> Principal:
    """Ask the policy about the request of this scope, and note what the audit log shall say.

    Raises:
        AccessDenied: it may not.
    """
    admission = _admission(scope)
    resource = _resource(scope)
    decision = admission.policy.authorize(admission.principal, action, resource)
    if not decision.allowed:
        DENIED.labels("permission").inc()
        admission.audit = PendingAudit(action, resource, denied=decision.reason)
        if decision.login_helps:
            client = admission.client
            why = "access.trust_loopback is false" if client.local else client.reason
            raise AccessDenied(
                f"{decision.reason} ({why}).", status=401, hint="Send a token or a password."
            )
        raise AccessDenied(f"{decision.reason}.")
    if action.is_write:
        admission.audit = PendingAudit(action, resource)
    return admission.principal


def audit_detail(connection: HTTPConnection, **detail: Any) -> None:
    """Add facts to the audit row of this request, if it leaves one. Never a secret."""
    if (pending := _admission(connection.scope).audit) is not None:
        pending.detail.update(detail)


def _admission(scope: Scope) -> Admission:
    admission = scope.get("state", {}).get("admission")
    if not isinstance(admission, Admission):
        raise RuntimeError("the application is not behind AccessMiddleware")
    return admission


def _resource(scope: Scope) -> str:
    """The path: with its parameters, but without the query, which may hold what is private."""
    return f"{scope.get('method', 'WS')} {scope['path']}"


class AccessMiddleware:
    """The outermost layer of an application: nothing reaches it that ``Gate`` does not admit.

    Puts ``principal``, ``request_id`` and ``admission`` into ``request.state``. Writes the audit
    row before the answer goes out, so that whoever was told that it is done finds it there.
    """

    def __init__(self, app: ASGIApp, gate: Gate, audit: AuditLog | None) -> None:
        """``audit`` may be None only where nothing can be written, as in tests."""
        self.app = app
        self._gate = gate
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one socket, or the lifespan."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            admission = self._gate.admit(scope)
        except WrongHost as error:
            await _refuse(error, scope, send)
            return
        except AccessDenied as error:
            self._tally_refusal(error, scope)
            await _refuse(error, scope, send, self._gate.login_schemes)
            return
        state = scope.setdefault("state", {})
        state["admission"] = admission
        state["principal"] = admission.principal
        state["request_id"] = admission.request_id
        await self._serve(admission, scope, receive, send)

    async def _serve(
        self, admission: Admission, scope: Scope, receive: Receive, send: Send
    ) -> None:
        async def audited_send(message: Message) -> None:
            outcome = _outcome(message)
            if outcome:
                await self._record(admission, outcome)
            if message["type"] == "http.response.start":
                message = self._with_headers(message, admission)
            await send(message)

        try:
            await self.app(scope, receive, audited_send)
        finally:
            await self._record(admission, "failed")  # only if nothing was answered

    async def _record(self, admission: Admission, outcome: str) -> None:
        pending, admission.audit = admission.audit, None
        if pending is None or self._audit is None:
            return
        who, source = admission.principal, admission.client.address
        if pending.denied:
            outcome, pending.detail["reason"] = "denied", pending.denied
        if who.kind is PrincipalKind.ANONYMOUS:
            self._audit.tally(who.name, pending.action, outcome=outcome, source=source)
            return
        if pending.action.is_bulk and not pending.denied:
            self._audit.tally(who.name, pending.action, resource=pending.resource, outcome=outcome)
            return
        await asyncio.to_thread(
            self._audit.write,
            who.name,
            pending.action,
            resource=pending.resource,
            outcome=outcome,
            detail=pending.detail,
            source=source,
            request_id=admission.request_id,
        )

    def _tally_refusal(self, error: AccessDenied, scope: Scope) -> None:
        if self._audit is not None and error.status == 401:
            source = (scope.get("client") or ("", 0))[0]
            self._audit.tally("anonymous", Action.LOGIN, outcome="denied", source=source)

    def _with_headers(self, message: Message, admission: Admission) -> Message:
        headers = [*message.get("headers", ()), (b"x-request-id", admission.request_id.encode())]
        if message["status"] == 401 and not any(n == b"www-authenticate" for n, _ in headers):
            headers += _challenges(self._gate.login_schemes)
        return {**message, "headers": headers}


def _outcome(message: Message) -> str:
    match message["type"]:
        case "http.response.start":
            return "ok" if message["status"] < 400 else "failed"
        case "websocket.accept":
            return "ok"
        case "websocket.close":
            return "failed"  # of a socket that was accepted, the row is already written
    return ""


def _challenges(schemes: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
    return [(b"www-authenticate", scheme.encode()) for scheme in schemes]


async def _refuse(
    error: AccessDenied | WrongHost, scope: Scope, send: Send, schemes: tuple[str, ...] = ()
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.message})
        return
    # The shape in which Prometheus's API says errors, which the product's own shares.
    body = orjson.dumps({"status": "error", "errorType": error.kind, "error": str(error)})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if error.status == 401:
        headers += _challenges(schemes)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
