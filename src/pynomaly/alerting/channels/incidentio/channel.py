"""incident.io: the JSON of webhooks, sent to an alert source."""

from dataclasses import replace
from typing import Any

import orjson

from pynomaly.alerting.channels.base import JsonChannel
from pynomaly.alerting.channels.http import Answer, judge
from pynomaly.alerting.channels.incidentio.config import IncidentioConfig
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.channels.webhook.payload import truncated, webhook_payload
from pynomaly.alerting.contract import Delivery, Notification

_MOST_OF_A_PAYLOAD = 512_000  # bytes; more is answered by 429, which never ends


class IncidentioChannel(JsonChannel[IncidentioConfig]):
    """Sends the group. Too large a one is sent with its first alert alone."""

    async def url(self, message: Message) -> str:
        """The alert source."""
        config = self.config
        return config.url or await secret_of(None, config.url_file)

    async def proofs(self, message: Message) -> dict[str, str]:
        """The source's token."""
        config = self.config
        token = await secret_of(config.alert_source_token, config.alert_source_token_file)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def timeout(self) -> float:
        """As configured."""
        return self.config.timeout

    def content(self, message: Message, notification: Notification) -> dict[str, Any]:
        """The payload of webhooks, under its own version."""
        shown = truncated(notification, self.config.max_alerts)
        payload = webhook_payload(shown, self.messages.external_url)
        if len(orjson.dumps(payload)) > _MOST_OF_A_PAYLOAD:
            first = replace(shown, alerts=shown.alerts[:1])
            payload["alerts"] = webhook_payload(first, self.messages.external_url)["alerts"]
        return {**payload, "version": "1"}

    def judged(self, answer: Answer) -> Delivery:
        """Its API says what went wrong."""
        found = answer.json()
        errors = found.get("errors")
        listed = ", ".join(map(str, errors)) if isinstance(errors, list) else ""
        said = [str(found.get("message", "")), str(found.get("error", "")), listed]
        return judge(answer, self.messages.now(), detail=": ".join(filter(None, said)) or None)
