"""PagerDuty's events: an incident for each group of alerts."""

import logging
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urljoin

import orjson

from pynomaly.alerting.channels.base import HttpChannel, group_hash, unrenderable
from pynomaly.alerting.channels.http import Answer, Unreachable, judge
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.channels.secrets import Secrets, UnreadableSecret, secret_of
from pynomaly.alerting.contract import Delivery, Notification
from pynomaly.gotemplate.errors import TemplateError

log = logging.getLogger(__name__)

Event = Literal["trigger", "acknowledge", "resolve"]

_V1 = "/generic/2010-04-15/create_event.json"
_MOST_OF_A_SUMMARY = 1024  # characters
_MOST_OF_AN_EVENT = 512_000  # bytes; PagerDuty answers 413 to more than 512 KB


class PagerDutyChannel(HttpChannel[PagerDutyConfig]):
    """Triggers an incident while a group fires, and resolves it.

    The group's key is the deduplication key, hashed as Alertmanager hashes it. So the same event
    sent twice is one incident, and an incident that Alertmanager triggered is resolved by us.
    """

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Trigger or resolve."""
        return await self._event(
            "trigger" if notification.firing else "resolve", notification, message
        )

    async def acknowledge(self, notification: Notification) -> Delivery:
        """Say that somebody works on the group's incident; does not raise."""
        try:
            return await self._event("acknowledge", notification, self.messages.of(notification))
        except TemplateError as error:
            return unrenderable(error)
        except (Unreachable, UnreadableSecret) as error:
            return error.delivery()

    async def _event(self, event: Event, notification: Notification, message: Message) -> Delivery:
        config = self.config
        key = group_hash(notification)
        if config.service_key.get_secret_value() or config.service_key_file:
            secret = await self._key(message, "service_key")
            url = urljoin(config.url or "", _V1)
            content = await message.made(lambda: self._version_1(event, key, message))
            content["service_key"] = secret
            details, retry = content, HTTPStatus.FORBIDDEN  # by which version 1 limits the rate
        else:
            secret = await self._key(message, "routing_key")
            url = config.url or ""
            content = await message.made(lambda: self._version_2(event, key, message))
            content["routing_key"] = secret
            details, retry = content.get("payload", {}), HTTPStatus.TOO_MANY_REQUESTS
        name = "details" if details is content else "custom_details"
        answer = await self.client.post(
            url,
            within(content, details, name),
            timeout=config.timeout,
            secrets=Secrets().text(secret),
        )
        return judge(answer, self.messages.now(), retry=[retry], detail=_detail(answer))

    async def _key(self, message: Message, name: str) -> str:
        secret = await secret_of(getattr(self.config, name), getattr(self.config, f"{name}_file"))
        try:
            found = message.text(secret)
        except TemplateError:  # its text may show parts of the key
            raise Unreachable(f"the template of {name} fails", permanent=True) from None
        if not found:
            raise Unreachable(f"{name} is empty", permanent=True)
        return found

    def _version_1(self, event: Event, key: str, message: Message) -> dict[str, Any]:
        config = self.config
        content = {
            "event_type": event,
            "incident_key": key,
            "description": shortened(message.text(config.description), _MOST_OF_A_SUMMARY),
            "details": message.deep(config.details),
        }
        if event != "trigger":
            return content
        client = {"client": message.text(config.client)}
        return {**content, **client, "client_url": message.text(config.client_url)}

    def _version_2(self, event: Event, key: str, message: Message) -> dict[str, Any]:
        config, text = self.config, message.text
        content = {"event_action": event, "dedup_key": key}
        if event == "acknowledge":
            return content
        payload = {
            "summary": shortened(text(config.description), _MOST_OF_A_SUMMARY),
            "source": text(config.source),
            "severity": text(config.severity),
            "class": text(config.class_),
            "component": text(config.component),
            "group": text(config.group),
            "custom_details": message.deep(config.details),
        }
        images = [
            {"src": text(image.src), "alt": text(image.alt), "href": text(image.href)}
            for image in config.images
        ]
        links = [{"href": text(link.href), "text": text(link.text)} for link in config.links]
        return {
            **content,
            "payload": {name: value for name, value in payload.items() if value},
            "client": text(config.client),
            "client_url": text(config.client_url),
            "images": [image for image in images if image["src"]],
            "links": [link for link in links if link["href"]],
        }


def within(content: dict[str, Any], holder: dict[str, Any], name: str) -> bytes:
    """The event as JSON; too large, it goes without its details, which then say so."""
    body = orjson.dumps(content)
    if len(body) <= _MOST_OF_AN_EVENT or name not in holder:
        return body
    log.warning(
        "an event of %d bytes is more than PagerDuty takes; sent without details", len(body)
    )
    holder[name] = {"error": f"left out, since the event had {len(body)} bytes and 512 KB is most"}
    return orjson.dumps(content)


def _detail(answer: Answer) -> str:
    """What PagerDuty says of a bad request; the rest of what it says is of no use."""
    if answer.status != HTTPStatus.BAD_REQUEST:
        return ""
    found = answer.json()
    errors = found.get("errors")
    said = ", ".join(map(str, errors)) if isinstance(errors, list) else ""
    return ": ".join(filter(None, (str(found.get("message", "")), said)))
