"""The mail of a notification: headers, and its text in one or two forms."""

import hashlib
import re
import socket
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses

from pynomaly.alerting.channels.email.config import SUBJECT, EmailConfig
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.contract import Notification

_DEFAULT_HTML = EmailConfig.model_fields["html"].default
_DEFAULT_TEXT = '{{ template "email.default.text" . }}'
_BREAKS = re.compile(r"[\r\n]+\s*")


class Unmailable(ValueError):
    """A mail that cannot be written; the message says why."""


def build(
    config: EmailConfig, notification: Notification, message: Message, now: float
) -> EmailMessage:
    """The mail.

    Its ``Message-Id`` is the same in every attempt to tell one state, so that a mail server or
    program that looks at it shows a repetition once.

    Raises:
        TemplateError: a text cannot be rendered.
        Unmailable: a header cannot be written.
    """
    mail = EmailMessage(policy=SMTP)
    defaults = {"Subject": SUBJECT, "To": config.to, "From": config.from_}
    headers = {
        name: _one_line(message.text(template))
        for name, template in {**defaults, **config.headers}.items()
    }
    headers.setdefault("Message-Id", _message_id(notification, now))
    headers |= _thread(config, notification, now)
    headers.setdefault("Date", format_datetime(datetime.fromtimestamp(now, UTC)))
    for name, value in headers.items():
        try:
            mail[name] = value
        except (ValueError, MessageError) as error:
            raise Unmailable(f"the header {name} cannot be written: {error}") from error
    _fill(mail, config, message)
    return mail


def addresses(text: str) -> list[str]:
    """The addresses of ``To`` or ``From``, such as ``Ops <ops@example.com>, b@example.com``.

    Raises:
        Unmailable: one of them is none, or there is none.
    """
    found = [address for _, address in getaddresses([_one_line(text)])]
    bad = [address for address in found if not re.fullmatch(r"[^@\s]+@[^@\s]+", address)]
    if bad or not found:
        raise Unmailable(f"{text!r} is not a list of mail addresses")
    return found


def _fill(mail: EmailMessage, config: EmailConfig, message: Message) -> None:
    text = message.text(config.text)
    if not text and config.html == _DEFAULT_HTML:
        text = message.text(_DEFAULT_TEXT)
    html = message.html(config.html)
    if text:
        mail.set_content(text, cte="quoted-printable")
    if html and text:
        mail.add_alternative(html, subtype="html", cte="quoted-printable")
    elif html or not text:
        mail.set_content(html, subtype="html", cte="quoted-printable")


def _message_id(notification: Notification, now: float) -> str:
    identity = notification.id or f"{notification.receiver} {notification.group_key} {now}"
    return f"<{_digest(identity)}@{socket.gethostname() or 'localhost.localdomain'}>"


def _thread(config: EmailConfig, notification: Notification, now: float) -> dict[str, str]:
    """All mails of a group answer one that does not exist; of each day, unless by ``none``."""
    if not config.threading.enabled:
        return {}
    by_day = config.threading.thread_by_date != "none"
    day = datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d") if by_day else ""
    root = f"<alert-{_digest(notification.group_key)[:16]}-{day}@pynomaly>"
    return {"References": root, "In-Reply-To": root}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()
