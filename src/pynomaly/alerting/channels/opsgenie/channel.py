"""Opsgenie: an alert for each group of alerts."""

from typing import Any

import orjson

from pynomaly.alerting.channels.base import HttpChannel, given, group_hash
from pynomaly.alerting.channels.http import Unreachable, judge
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.opsgenie.config import OpsgenieConfig, OpsgenieResponder
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.contract import Delivery, Notification, Outcome
from pynomaly.gotemplate.errors import TemplateError

_MOST_OF_A_MESSAGE = 130  # characters: https://docs.opsgenie.com/docs/alert-api

_Call = tuple[str, str, dict[str, Any]]
"""Method, path below ``v2/alerts``, body."""


class OpsgenieChannel(HttpChannel[OpsgenieConfig]):
    """Creates an alert while a group fires, and closes it; its alias is the group's key."""

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """One call after the other; the first that is not taken is the answer."""
        config = self.config
        secret = await secret_of(config.api_key, config.api_key_file)
        try:
            key = message.text(secret).strip()
        except TemplateError:  # its text may show parts of the key
            raise Unreachable("the template of api_key fails", permanent=True) from None
        base = f"{(config.api_url or '').rstrip('/')}/v2/alerts"
        for method, path, body in await message.made(lambda: self._calls(notification, message)):
            answer = await self.client.post(
                base + path,
                orjson.dumps(body),
                method=method,
                proofs={"Authorization": f"GenieKey {key}"},
            )
            delivery = judge(answer, self.messages.now())
            if delivery.outcome is not Outcome.DELIVERED:
                return delivery
        return Delivery(Outcome.DELIVERED)

    def _calls(self, notification: Notification, message: Message) -> list[_Call]:
        alias, by_alias = group_hash(notification), "?identifierType=alias"
        source = {"source": message.text(self.config.source)}
        if not notification.firing:
            return [("POST", f"/{alias}/close{by_alias}", source)]
        new = self._new(message)
        calls: list[_Call] = [("POST", "", {"alias": alias, **source, **new})]
        if self.config.update_alerts:
            for name in ("message", "description"):
                text = {name: new.get(name, "")}
                calls.append(("PUT", f"/{alias}/{name}{by_alias}", text))
        return calls

    def _new(self, message: Message) -> dict[str, Any]:
        config, text = self.config, message.text
        own = {name: text(value) for name, value in config.details.items()}
        found = {
            "message": shortened(text(config.message), _MOST_OF_A_MESSAGE),
            "description": text(config.description),
            "responders": [
                one for responder in config.responders for one in _responders(responder, message)
            ],
            "tags": _parts(text(config.tags)),
            "note": text(config.note),
            "priority": text(config.priority),
            "entity": text(config.entity),
            "actions": _parts(text(config.actions)),
        }
        return {**given(found), "details": {**message.data.common_labels, **own}}


def _responders(responder: OpsgenieResponder, message: Message) -> list[dict[str, str]]:
    found = given({name: message.text(text) for name, text in responder.model_dump().items()})
    if found.get("type") == "teams":
        return [{"name": name, "type": "team"} for name in _parts(found.get("name", ""))]
    return [found] if found else []


def _parts(text: str) -> list[str]:
    return [part for part in text.strip().split(",") if part]
