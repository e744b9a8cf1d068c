"""One conversation with a mail server. Blocks: it runs in a thread of its own."""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.fields import host_and_port
from pynomaly.ingest.scrape.client_config import TlsConfig
from pynomaly.ingest.scrape.tls import ssl_context

_IMPLICIT_TLS = "465"
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Refused(Exception):
    """The server said no, or cannot be trusted. ``permanent``: it will say so again."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


@dataclass(slots=True)
class Recipients:
    """Who took the mail, and who never will: address to the server's words."""

    taken: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def left(self, addresses: Sequence[str]) -> list[str]:
        """Who is to be tried still."""
        return [a for a in addresses if a not in self.taken and a not in self.refused]


class _Named:
    """A TLS context that expects a certificate for ``server_name`` instead of the host."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._context = context
        self._name = name

    def wrap_socket(self, sock: socket.socket, server_hostname: str | None = None) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, server_hostname=self._name or server_hostname)


class Conversation:
    """Connects, says hello, encrypts, logs in, hands over one mail.

    ``password`` and ``secret`` are those of ``auth_password`` and ``auth_secret``. ``timeout``:
    seconds that the server may take for each answer.
    """

    def __init__(self, config: EmailConfig, password: str, secret: str, timeout: float) -> None:
        self._config = config
        self._password = password
        self._secret = secret
        self._timeout = timeout
        self._host, self._port = host_and_port(config.smarthost)
        self._smtp: smtplib.SMTP | None = None
        self._given_up = False

    def run(self, sender: str, addresses: Sequence[str], mail: bytes, done: Recipients) -> None:
        """Hand it over to those of ``addresses`` who are not ``done``, and note who took it.

        Raises:
            Refused: nobody took it, or somebody may take it later.
        """
        try:
            with contextlib.ExitStack() as ends:
                smtp = self._connect()
                ends.callback(_quit, smtp)
                self._encrypt(smtp)
                self._log_in(smtp)
                _hand_over(smtp, sender, addresses, mail, done)
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(str(error)) from None
        except (smtplib.SMTPException, EOFError) as error:
            why = str(error) if isinstance(error, smtplib.SMTPServerDisconnected) else ""
            raise Refused(f"the connection broke: {why or type(error).__name__}") from None
        except ssl.SSLError as error:
            raise Refused(f"TLS: {error.reason or error}") from None
        except OSError as error:
            raise Refused(f"cannot connect to {self._where}: {error.strerror or error}") from None

    def give_up(self) -> None:
        """Break the connection, from any thread; ``run`` ends soon."""
        self._given_up = True
        sock = self._smtp.sock if self._smtp is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @property
    def _where(self) -> str:
        return self._config.smarthost

    @property
    def _implicit(self) -> bool:
        forced = self._config.force_implicit_tls
        return self._port == _IMPLICIT_TLS if forced is None else forced

    def _connect(self) -> smtplib.SMTP:
        hello = self._config.hello or "localhost"
        port = socket.getservbyname(self._port) if not self._port.isdigit() else int(self._port)
        if self._implicit:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, port, hello, timeout=self._timeout, context=self._context()
            )
        else:
            smtp = smtplib.SMTP(self._host, port, hello, timeout=self._timeout)
        self._smtp = smtp
        if self._given_up:
            smtp.close()
            raise Refused("given up")
        smtp.ehlo_or_helo_if_needed()
        return smtp

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        if self._implicit or not self._config.require_tls:
            return
        if not smtp.has_extn("starttls"):
            raise Refused(
                f"require_tls is true, which it is by default, but {self._where} does not offer "
                "STARTTLS"
            )
        smtp.starttls(context=self._context())
        smtp.ehlo_or_helo_if_needed()

    def _context(self) -> ssl.SSLContext:
        tls = self._config.tls_config or TlsConfig()
        try:
            context = ssl_context(tls)
        except (OSError, ssl.SSLError) as error:
            raise Refused(f"tls_config cannot be used: {error}", permanent=True) from None
        # smtplib uses nothing of it but wrap_socket.
        return cast(ssl.SSLContext, _Named(context, tls.server_name))

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        user = self._config.auth_username
        if not user or not smtp.has_extn("auth"):
            return
        lacking = []
        for mechanism in smtp.esmtp_features["auth"].split():
            secret = self._secret if mechanism == "CRAM-MD5" else self._password
            if mechanism not in ("CRAM-MD5", "PLAIN", "LOGIN"):
                continue
            if not secret:
                lacking.append(mechanism)
                continue
            self._prove(smtp, mechanism, user, secret)
            return
        if lacking:
            what = "auth_secret" if lacking == ["CRAM-MD5"] else "auth_password"
            raise Refused(f"{what} is needed for {' or '.join(lacking)}", permanent=True)
        raise Refused(
            f"{self._where} offers no way to log in that is known: CRAM-MD5, PLAIN or LOGIN"
        )

    def _prove(self, smtp: smtplib.SMTP, mechanism: str, user: str, secret: str) -> None:
        smtp.user, smtp.password = user, secret
        if mechanism == "CRAM-MD5":
            smtp.auth("CRAM-MD5", smtp.auth_cram_md5)
            return
        encrypted = isinstance(smtp.sock, ssl.SSLSocket)
        if mechanism == "PLAIN" and not encrypted and self._host not in _HERE:
            raise Refused("a password is not sent by a connection that is not encrypted")
        if mechanism == "LOGIN":
            smtp.auth("LOGIN", smtp.auth_login)
            return
        smtp.auth("PLAIN", lambda _=None: f"{self._config.auth_identity}\0{user}\0{secret}")


def _hand_over(
    smtp: smtplib.SMTP, sender: str, addresses: Sequence[str], mail: bytes, done: Recipients
) -> None:
    code, said = smtp.mail(sender)
    if code != 250:
        raise _refused(code, said, f"from {sender}")
    taking: list[str] = []
    later: Refused | None = None
    for address in done.left(addresses):
        code, said = smtp.rcpt(address)
        if code in (250, 251, 252):
            taking.append(address)
        elif code >= 500:
            done.refused[address] = _words(code, said)
        else:
            later = _refused(code, said, f"to {address}")
    if taking:
        code, said = smtp.data(mail)
        if code != 250:
            raise _refused(code, said)
        done.taken |= set(taking)
    if later is not None:
        raise later
    if not done.taken:
        raise Refused("; ".join(f"to {a}: {w}" for a, w in done.refused.items()), permanent=True)


def _quit(smtp: smtplib.SMTP) -> None:
    # The mail is handed over or not by now: what the server says to a farewell changes nothing.
    with contextlib.suppress(smtplib.SMTPException, OSError):
        smtp.quit()


def _refused(code: int, said: bytes | str, about: str = "") -> Refused:
    words = _words(code, said)
    return Refused(f"{about}: {words}" if about else words, permanent=code >= 500)


def _words(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}".strip()[:200]
