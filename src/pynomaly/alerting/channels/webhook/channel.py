"""A POST of JSON to one address: Alertmanager's webhook, and ours with a signature."""

import hashlib
import hmac

import orjson

from pynomaly.alerting.channels.base import HttpChannel
from pynomaly.alerting.channels.http import Unreachable, judge
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.channels.secrets import Secrets, secret_of
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.channels.webhook.payload import truncated, webhook_payload
from pynomaly.alerting.contract import Delivery, Notification
from pynomaly.gotemplate.errors import TemplateError

SIGNATURE = "X-Pynomaly-Signature"
TIMESTAMP = "X-Pynomaly-Timestamp"
IDEMPOTENCY_KEY = "Idempotency-Key"


class WebhookChannel(HttpChannel[WebhookConfig]):
    """POSTs notifications to one URL.

    The header ``Idempotency-Key`` is the same in every attempt to tell one state, so that a
    receiver can drop a repetition. With ``hmac_secret``, ``X-Pynomaly-Signature`` proves the
    sender and the time: see ``signature``.
    """

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Try once."""
        config, now = self.config, self.messages.now()
        shown = truncated(notification, config.max_alerts)
        body = await message.made(lambda: self._body(shown))
        headers = {IDEMPOTENCY_KEY: notification.id} if notification.id else {}
        secret = await secret_of(config.hmac_secret, config.hmac_secret_file)
        if secret:
            headers |= signature(secret, body, now)
        answer = await self.client.post(
            await self._url(message),
            body,
            timeout=config.timeout,
            headers=headers,
            secrets=Secrets().text(secret),
        )
        return judge(answer, now)

    def _body(self, shown: Notification) -> bytes:
        if self.config.payload is None:
            return orjson.dumps(webhook_payload(shown, self.messages.external_url))
        return orjson.dumps(self.messages.of(shown).deep(self.config.payload))

    async def _url(self, message: Message) -> str:
        try:
            url = message.text(await secret_of(self.config.url, self.config.url_file))
        except TemplateError:  # its text may show parts of the address
            raise Unreachable("the template of the address fails", permanent=True) from None
        if not url:
            raise Unreachable("the address is empty", permanent=True)
        return url


def signature(secret: str, body: bytes, now: float) -> dict[str, str]:
    """The headers that prove who sent a body, and when.

    ``X-Pynomaly-Timestamp`` is ``now`` in whole epoch seconds, and ``X-Pynomaly-Signature`` is
    ``sha256=`` and the hexadecimal HMAC-SHA256, by the secret, of that number, a dot and the body.
    """
    at = str(int(now))
    digest = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {TIMESTAMP: at, SIGNATURE: f"sha256={digest}"}
