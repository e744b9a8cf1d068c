"""Slack: a message by an incoming webhook, or by an app that can also change it afterwards."""

from typing import Any
from urllib.parse import urljoin

import orjson

from pynomaly.alerting.channels.base import HttpChannel, given
from pynomaly.alerting.channels.http import Answer, judge
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.secrets import secret_of
from pynomaly.alerting.channels.slack.blocks import default_blocks
from pynomaly.alerting.channels.slack.config import SlackConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome

_MOST_OF_A_TITLE = 1024
_MARKDOWN_IN = ["fallback", "pretext", "text"]
_OF_ATTACHMENTS = frozenset(
    {
        "title", "title_link", "pretext", "text", "fields", "short_fields", "footer", "fallback",
        "callback_id", "image_url", "thumb_url", "mrkdwn_in", "actions",
    }
)  # fmt: skip
"""Who sets one of these wants an attachment in Alertmanager's form, not our blocks."""

_NOT_NOW = frozenset(
    {
        "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
        "request_timeout", "team_added_to_org",
    }
)  # fmt: skip
_GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"}
)


class SlackChannel(HttpChannel[SlackConfig]):
    """Posts a message. With ``update_message`` later news of a group change that message.

    The message of a group is forgotten when the group is resolved: what fires next is a new one.
    """

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Try once; where the message to change is gone, post a new one."""
        content = await message.made(lambda: self._content(message))
        known = notification.memory if self.config.update_message else {}
        if known.get("ts") and known.get("channel"):
            changed = {**content, "ts": known["ts"], "channel": known["channel"]}
            answer = await self._call(changed, update=True)
            if answer.json().get("error") not in _GONE:
                return self._judge(answer, notification)
        return self._judge(await self._call(content), notification)

    async def _call(self, content: dict[str, Any], *, update: bool = False) -> Answer:
        config = self.config
        token = await secret_of(config.app_token, config.app_token_file)
        url = (
            (config.app_url or "")
            if token
            else await secret_of(config.api_url, config.api_url_file)
        )
        proofs = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.post(
            urljoin(url, "chat.update") if update else url,
            orjson.dumps(content),
            timeout=config.timeout,
            proofs=proofs,
            content_type="application/json; charset=utf-8",
        )

    def _content(self, message: Message) -> dict[str, Any]:
        config, text = self.config, message.text
        content = {
            "channel": text(config.channel),
            "username": text(config.username),
            "icon_emoji": text(config.icon_emoji),
            "icon_url": text(config.icon_url),
            "link_names": config.link_names,
            "text": text(config.message_text),
        }
        return {**given(content), **self._body(message)}

    def _body(self, message: Message) -> dict[str, Any]:
        config = self.config
        if config.blocks is None and config.model_fields_set & _OF_ATTACHMENTS:
            return {"attachments": [self._attachment(message)]}
        own = config.blocks
        blocks = default_blocks(message) if own is None else message.texts(own)
        colored = {"color": message.text(config.color), "fallback": message.text(config.fallback)}
        return {"attachments": [{**given(colored), "blocks": blocks}]}

    def _attachment(self, message: Message) -> dict[str, Any]:
        config, text = self.config, message.text
        content = {
            "title": shortened(text(config.title), _MOST_OF_A_TITLE),
            "title_link": text(config.title_link),
            "pretext": text(config.pretext),
            "image_url": text(config.image_url),
            "thumb_url": text(config.thumb_url),
            "color": text(config.color),
            "fields": [
                {
                    "title": text(field.title),
                    "value": text(field.value),
                    "short": config.short_fields if field.short is None else field.short,
                }
                for field in config.fields
            ],
            "actions": [self._action(action, message) for action in config.actions],
            "mrkdwn_in": config.mrkdwn_in or _MARKDOWN_IN,
        }
        always = {
            "text": text(config.text),
            "fallback": text(config.fallback),
            "callback_id": text(config.callback_id),
            "footer": text(config.footer),
        }
        return {**given(content), **always}

    def _action(self, action: Any, message: Message) -> dict[str, Any]:
        link = bool(action.url)
        names = ("type", "text", "url", "style") + (() if link else ("name", "value"))
        found: dict[str, Any] = {name: message.text(getattr(action, name)) for name in names}
        if action.confirm is not None and not link:
            asked = action.confirm.model_dump()
            found["confirm"] = given({name: message.text(text) for name, text in asked.items()})
        return given(found)

    def _judge(self, answer: Answer, notification: Notification) -> Delivery:
        now = self.messages.now()
        if not answer.ok:
            return judge(answer, now)
        if not answer.headers.get("Content-Type", "").startswith("application/json"):
            if answer.body == b"ok":
                return Delivery(Outcome.DELIVERED)
            said = shortened(answer.text, 200)
            return Delivery(Outcome.PERMANENT, f"Slack did not take it: {said}")
        found = answer.json()
        if not found.get("ok"):
            error = answer.secrets.hide(str(found.get("error", "it does not say why")))
            outcome = Outcome.RETRYABLE if error in _NOT_NOW else Outcome.PERMANENT
            return Delivery(outcome, f"Slack did not take it: {error}")
        if not self.config.update_message:
            return Delivery(Outcome.DELIVERED)
        memory = {"ts": str(found.get("ts", "")), "channel": str(found.get("channel", ""))}
        resolved = not notification.firing
        return Delivery(Outcome.DELIVERED, memory={} if resolved else memory)
