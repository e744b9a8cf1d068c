"""A mail server on a real socket, that refuses, hangs and breaks off as it is told."""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, Session

USER, PASSWORD = "ops", "s3same-password"


@dataclass
class Mailbox:
    """What the server took. ``refusals`` answers RCPT by address; ``data`` answers DATA."""

    address: str = ""
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    hang: bool = False
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hang:
            await self.released.wait()
        envelope.mail_from = address
        self.encrypted.append(session.ssl is not None or server.transport is None)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data:
            return self.data.pop(0)
        content = envelope.original_content or b""
        mail = message_from_bytes(content, _class=EmailMessage, policy=policy.SMTP)
        self.mails.append((list(envelope.rcpt_tos), mail))
        return "250 OK"


class Server(SMTP):
    """Also CRAM-MD5, which aiosmtpd lacks."""

    async def auth_CRAM__MD5(self, _: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        challenge = b"<1.2@test>"
        answer = await self.challenge_auth(challenge)
        assert answer is not MISSING
        user, _, digest = answer.decode().rpartition(" ")
        expected = hmac.new(PASSWORD.encode(), challenge, hashlib.md5).hexdigest()
        return AuthResult(success=(user, digest) == (USER, expected), handled=False)


@asynccontextmanager
async def smtp_server(
    *,
    starttls: ssl.SSLContext | None = None,
    implicit: ssl.SSLContext | None = None,
    auth: str = "",
) -> AsyncIterator[Mailbox]:
    """``auth``: the only mechanism that it offers, and demands."""
    box = Mailbox()
    every = {"PLAIN", "LOGIN", "CRAM-MD5"}

    def check(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        box.logins.append(mechanism)
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    def make() -> Server:
        return Server(
            box,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=check if auth else None,
            auth_required=bool(auth),
            auth_require_tls=False,
            auth_exclude_mechanism=every - {auth} if auth else every,
            hostname="mail.test",
        )

    listener = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=implicit)
    box.address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield box
    finally:
        box.released.set()
        listener.close()
        await listener.wait_closed()
