"""Jira: an issue for each group of alerts, found again by a label that is the group's key."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from pynomaly.alerting.channels.base import HttpChannel, group_hash
from pynomaly.alerting.channels.http import Answer, judge
from pynomaly.alerting.channels.jira.config import JiraConfig
from pynomaly.alerting.channels.jira.document import as_document
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.contract import Delivery, Notification, Outcome

_MOST_OF_A_SUMMARY = 255
_MOST_OF_A_DESCRIPTION = 32_767
_DONE = "done"


class _Failed(Exception):
    """A call was not taken; ``delivery`` says why."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery.reason)
        self.delivery = delivery


@dataclass(frozen=True, slots=True)
class _Issue:
    """An issue that there is; ``done`` by the category of its status."""

    key: str
    done: bool


class JiraChannel(HttpChannel[JiraConfig]):
    """Creates an issue when a group begins to fire, keeps it up to date, resolves and reopens it.

    As Alertmanager's: an open issue of the group is updated; so is one that was resolved within
    ``reopen_duration``, which ``reopen_transition`` then opens again. Of a group that is over
    nothing is created.
    """

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Search, then create or update, then move; the first call that is not taken ends it."""
        firing = bool(notification.firing)
        label = f"ALERT{{{group_hash(notification)}}}"
        try:
            issue = await self._find(self._jql(message, label, firing=firing))
            if issue is None:
                if firing:
                    await self._call("POST", "/issue", await self._fields(message, label))
                return Delivery(Outcome.DELIVERED)
            await self._update(issue, await self._fields(message, label))
            await self._move(issue, firing=firing)
        except _Failed as error:
            return error.delivery
        return Delivery(Outcome.DELIVERED)

    def _jql(self, message: Message, label: str, *, firing: bool) -> str:
        """The issue of a group that is open, or was resolved a short while ago."""
        config, parts = self.config, []
        if config.wont_fix_resolution:
            resolution = _quoted(config.wont_fix_resolution)
            parts.append(f"(resolution is EMPTY or resolution != {resolution})")
        minutes = int(config.reopen_duration // 60)
        if firing and config.reopen_transition and minutes > 0:
            parts.append(f"(resolutiondate is EMPTY OR resolutiondate >= -{minutes}m)")
        else:
            parts.append("statusCategory != Done")
        parts.append(f"project={_quoted(message.text(config.project))}")
        parts.append(f"labels={_quoted(label)}")
        return f"{' and '.join(parts)} order by status ASC,resolutiondate DESC"

    async def _find(self, jql: str) -> _Issue | None:
        wanted = {"jql": jql, "maxResults": 2, "fields": ["status"]}
        base, path = self.config.base, "/search"
        if self.config.cloud:
            base = f"{base}/".replace("/rest/api/2/", "/rest/api/3/", 1).rstrip("/")
            path = "/search/jql"
        found = (await self._call("POST", path, wanted, base=base)).json().get("issues")
        try:
            first = found[0] if found else None
            if first is None:
                return None
            status = first["fields"]["status"]["statusCategory"]["key"]
            return _Issue(str(first["key"]), status == _DONE)
        except (KeyError, TypeError, IndexError):
            reason = "its answer to a search lists issues without a key or a status"
            raise _Failed(Delivery(Outcome.PERMANENT, reason)) from None

    async def _fields(self, message: Message, label: str) -> dict[str, Any]:
        return await message.made(lambda: self._made(message, label))

    def _made(self, message: Message, label: str) -> dict[str, Any]:
        config, text = self.config, message.text
        description = shortened(text(config.description.template), _MOST_OF_A_DESCRIPTION)
        fields: dict[str, Any] = {
            "project": {"key": text(config.project)},
            "issuetype": {"name": text(config.issue_type)},
            "summary": shortened(text(config.summary.template), _MOST_OF_A_SUMMARY),
            "labels": sorted([*map(text, config.labels), label]),
        }
        if description.strip():
            newest = config.base.endswith("/3")
            fields["description"] = as_document(description) if newest else description
        if priority := text(config.priority):
            fields["priority"] = {"name": priority}
        own = {name: message.deep(value) for name, value in config.fields.items()}
        return {"fields": {**fields, **own}}

    async def _update(self, issue: _Issue, body: dict[str, Any]) -> None:
        config, fields = self.config, body["fields"]
        for name, field in (("summary", config.summary), ("description", config.description)):
            if not field.enable_update and name not in config.fields:
                fields.pop(name, None)
        await self._call("PUT", f"/issue/{issue.key}", body)

    async def _move(self, issue: _Issue, *, firing: bool) -> None:
        config = self.config
        if firing != issue.done:
            return
        name = config.reopen_transition if firing else config.resolve_transition
        if not name:
            return
        path = f"/issue/{issue.key}/transitions"
        known = (await self._call("GET", path)).json().get("transitions")
        for each in known if isinstance(known, list) else ():
            if isinstance(each, dict) and each.get("name") == name:
                await self._call("POST", path, {"transition": {"id": str(each.get("id", ""))}})
                return
        reason = f"the issue {issue.key} has no transition {name!r} now"
        raise _Failed(Delivery(Outcome.PERMANENT, reason))

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, base: str = ""
    ) -> Answer:
        answer = await self.client.post(
            (base or self.config.base) + path,
            b"" if body is None else orjson.dumps(body),
            method=method,
            headers={"Accept-Language": "en"},
            secret_address=False,
            most=1 << 20,
        )
        delivery = judge(answer, self.messages.now(), detail=_said(answer))
        if delivery.outcome is not Outcome.DELIVERED:
            raise _Failed(delivery)
        return answer


def _said(answer: Answer) -> str | None:
    """What Jira says is wrong; None where that is not in its form."""
    found = answer.json()
    messages, errors = found.get("errorMessages"), found.get("errors")
    said = [str(each) for each in messages] if isinstance(messages, list) else []
    if isinstance(errors, dict):
        said += [f"{name}: {text}" for name, text in errors.items()]
    return "; ".join(said) or None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
