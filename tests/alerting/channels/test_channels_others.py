"""The other channels of Alertmanager: what each sends, and what it makes of a refusal."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from channel_server import Reply, Server, alert, messages, notification, resolved

from pynomaly.alerting.channels.build import build
from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.kinds import CONFIGS
from pynomaly.alerting.channels.pushover.channel import PushoverChannel
from pynomaly.alerting.contract import Delivery, Notification, Outcome

KEY = hashlib.sha256(b'{}:{alertname="Down"}').hexdigest()
SECRET = "s3cret-key"
TOKEN = {"authorization": {"credentials": SECRET}}
FLAWLESS = Reply(200, {"ok": True, "success": True, "errcode": 0, "access_token": "t0ken-of-app"})

SECTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "discord": lambda url: {"webhook_url": f"{url}/{SECRET}"},
    "msteams": lambda url: {"webhook_url": f"{url}/{SECRET}"},
    "msteamsv2": lambda url: {"webhook_url": f"{url}/{SECRET}"},
    "mattermost": lambda url: {"webhook_url": f"{url}/{SECRET}"},
    "rocketchat": lambda url: {"api_url": url, "token": SECRET, "token_id": "me"},
    "telegram": lambda url: {"api_url": url, "bot_token": SECRET, "chat_id": 42},
    "webex": lambda url: {"api_url": f"{url}/m", "room_id": "room", "http_config": TOKEN},
    "victorops": lambda url: {"api_url": url, "api_key": SECRET, "routing_key": "ops/db"},
    "opsgenie": lambda url: {"api_url": url, "api_key": SECRET},
    "incidentio": lambda url: {"url": f"{url}/a", "alert_source_token": SECRET},
    "wechat": lambda url: {"api_url": url, "api_secret": SECRET, "corp_id": "c0rp"},
    "pushover": lambda url: {"token": SECRET, "user_key": "us3r-key"},
}


async def deliver(
    kind: str, hook: Server, told: Notification | None = None, **config: Any
) -> Delivery:
    section = CONFIGS[kind].model_validate({**SECTIONS[kind](hook.url), **config})
    channel = build(section.inherit(ChannelDefaults()), messages())
    if isinstance(channel, PushoverChannel):
        channel.api = f"{hook.url}/1/messages.json"
    try:
        return await channel.deliver(told or notification())
    finally:
        await channel.close()


@pytest.mark.parametrize("kind", SECTIONS)
async def test_each_says_that_it_fires_and_that_it_is_over(hook: Server, kind: str) -> None:
    for told in (notification(), notification(resolved())):
        hook.replies = [FLAWLESS] * 2
        assert await deliver(kind, hook, told) == Delivery(Outcome.DELIVERED)
    assert "Down" in hook.requests[-1].body.decode() or kind == "opsgenie"


@pytest.mark.parametrize("kind", SECTIONS)
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.PERMANENT),
        (404, Outcome.PERMANENT),
        (429, Outcome.RETRYABLE),
        (500, Outcome.RETRYABLE),
    ],
)
async def test_each_says_why_it_was_refused_without_its_secret(
    hook: Server, kind: str, status: int, outcome: Outcome
) -> None:
    said = {"errmsg": SECRET, "description": SECRET, "message": SECRET, "errors": [SECRET]}
    for body in (f"no {SECRET} here", said):
        hook.replies = [Reply(status, body)] * 2
        delivery = await deliver(kind, hook)
        assert delivery.outcome is outcome and delivery.reason.startswith(str(status))
        assert SECRET not in delivery.reason


@pytest.mark.parametrize(
    ("kind", "reply", "outcome", "said"),
    [
        ("rocketchat", {"success": False, "error": "no-room"}, Outcome.PERMANENT, "no-room"),
        ("msteams", "failed with HTTP error 429", Outcome.RETRYABLE, "no more"),
        ("wechat", {"errmsg": "bad corp"}, Outcome.PERMANENT, "bad corp"),
    ],
)
async def test_a_refusal_may_come_as_200(
    hook: Server, kind: str, reply: Any, outcome: Outcome, said: str
) -> None:
    hook.replies = [Reply(200, reply)]
    delivery = await deliver(kind, hook)
    assert delivery.outcome is outcome and said in delivery.reason


async def test_discord_gets_an_embed_within_its_limits(hook: Server) -> None:
    await deliver("discord", hook, message="x" * 9000, content="hi", username="Pager")
    sent = hook.requests[0].json
    (embed,) = sent["embeds"]
    assert (sent["content"], sent["username"]) == ("hi", "Pager")
    assert len(embed["description"]) == 4096 and isinstance(embed["color"], int)


async def test_teams_gets_an_adaptive_card(hook: Server) -> None:
    await deliver("msteamsv2", hook)
    (attachment,) = hook.requests[0].json["attachments"]
    title, text = attachment["content"]["body"]
    assert title["text"].startswith("[FIRING 1] Down") and title["color"] == "Attention"
    assert "**Down**: a is down" in text["text"]


async def test_mattermost_gets_attachments_and_a_priority(hook: Server) -> None:
    own = {"text": "{{ .Status }}", "fields": [{"title": "Job", "value": "api", "short": True}]}
    priority = {"priority": "Urgent", "requested_ack": True}
    await deliver("mattermost", hook, attachments=[own], priority=priority, text="above")
    sent = hook.requests[0].json
    assert sent["attachments"] == [
        {"text": "firing", "fields": [{"title": "Job", "value": "api", "short": True}]}
    ]
    assert (sent["text"], sent["priority"]["priority"]) == ("above", "urgent")
    assert sent["priority"]["requested_ack"] is True
    await deliver("mattermost", hook)
    (attachment,) = hook.requests[1].json["attachments"]
    assert (
        attachment["title"].startswith("[FIRING 1] Down")
        and "priority" not in hook.requests[1].json
    )


async def test_rocketchat_gets_the_token_in_headers(hook: Server) -> None:
    hook.replies = [FLAWLESS]
    await deliver("rocketchat", hook, channel="#ops", actions=[{"text": "Go", "url": "http://g"}])
    (request,) = hook.requests
    assert request.path == "/api/v1/chat.postMessage"
    assert (request.headers["x-auth-token"], request.headers["x-user-id"]) == (SECRET, "me")
    (attachment,) = request.json["attachments"]
    assert attachment["actions"] == [{"type": "button", "text": "Go", "url": "http://g"}]


async def test_telegram_escapes_html_and_says_how_long_to_wait(
    hook: Server, tmp_path: Path
) -> None:
    (tmp_path / "chat").write_text("-7\n")
    file = {"chat_id": 0, "chat_id_file": str(tmp_path / "chat")}
    wait = Reply(429, {"description": "Too Many Requests", "parameters": {"retry_after": 9}})
    hook.replies = [FLAWLESS, wait]
    told = notification(alert("<b>"))
    await deliver("telegram", hook, told, **file)
    (request,) = hook.requests
    assert request.path == f"/bot{SECRET}/sendMessage"
    sent = request.json
    assert (sent["chat_id"], sent["parse_mode"]) == (-7, "HTML")
    assert "&lt;b&gt;" in sent["text"]
    delivery = await deliver("telegram", hook)
    assert (delivery.outcome, delivery.retry_after) == (Outcome.RETRYABLE, 9.0)


async def test_telegrams_html_is_not_cut_within_a_tag(hook: Server) -> None:
    await deliver("telegram", hook, message="<b>" + "x" * 5000 + "</b>")
    assert hook.requests[0].json["text"].startswith("<b>[FIRING 1] Down")
    await deliver("telegram", hook, message="x" * 5000, parse_mode="")
    assert len(hook.requests[1].json["text"]) == 4096


async def test_webex_counts_bytes(hook: Server) -> None:
    await deliver("webex", hook, message="ä" * 5000)
    (request,) = hook.requests
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert len(request.json["markdown"].encode()) <= 7439
    assert request.json["markdown"].endswith("ä…") and request.json["roomId"] == "room"


async def test_victorops_gets_events_of_one_entity(hook: Server) -> None:
    await deliver(
        "victorops", hook, message_type="NONSENSE", custom_fields={"job": "{{ .Status }}"}
    )
    await deliver("victorops", hook, notification(resolved()))
    first, second = (request.json for request in hook.requests)
    assert hook.requests[0].path == f"/{SECRET}/ops%2Fdb"
    assert (first["message_type"], second["message_type"]) == ("CRITICAL", "RECOVERY")
    assert first["entity_id"] == second["entity_id"] == KEY and first["job"] == "firing"


async def test_opsgenie_creates_updates_and_closes_by_alias(hook: Server) -> None:
    responders = [{"name": "a,b", "type": "teams"}, {"username": "u@x", "type": "user"}]
    config = {"responders": responders, "tags": "x,{{ .Status }}", "priority": "P1"}
    await deliver("opsgenie", hook, update_alerts=True, **config)
    await deliver("opsgenie", hook, notification(resolved()))
    assert [(r.method, r.path) for r in hook.requests] == [
        ("POST", "/v2/alerts"),
        ("PUT", f"/v2/alerts/{KEY}/message?identifierType=alias"),
        ("PUT", f"/v2/alerts/{KEY}/description?identifierType=alias"),
        ("POST", f"/v2/alerts/{KEY}/close?identifierType=alias"),
    ]
    created = hook.requests[0].json
    assert created["alias"] == KEY and len(created["message"]) <= 130
    assert created["responders"] == [
        {"name": "a", "type": "team"},
        {"name": "b", "type": "team"},
        {"username": "u@x", "type": "user"},
    ]
    assert (created["tags"], created["priority"]) == (["x", "firing"], "P1")
    assert created["details"]["job"] == "api"
    assert hook.requests[0].headers["authorization"] == f"GenieKey {SECRET}"


async def test_incidentio_gets_one_alert_of_a_group_that_is_too_large(hook: Server) -> None:
    many = [alert("x" * 600, n=str(n)) for n in range(1000)]
    await deliver("incidentio", hook, notification(*many))
    (request,) = hook.requests
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert len(request.json["alerts"]) == 1 and request.json["version"] == "1"


async def test_wechat_asks_for_a_token_once_and_again_when_it_expires(hook: Server) -> None:
    section = CONFIGS["wechat"].model_validate(SECTIONS["wechat"](hook.url))
    channel = build(section.inherit(ChannelDefaults()), messages())
    expired = Reply(200, {"errcode": 42001, "errmsg": "access_token expired t0ken-of-app"})
    hook.replies = [FLAWLESS, FLAWLESS, expired, FLAWLESS, FLAWLESS]
    outcomes = [await channel.deliver(notification()) for _ in range(3)]
    await channel.close()
    assert [delivery.outcome.value for delivery in outcomes] == [
        "delivered",
        "retryable",
        "delivered",
    ]
    assert "t0ken-of-app" not in outcomes[1].reason
    assert [request.path.split("?")[0] for request in hook.requests] == [
        "/gettoken",
        "/message/send",
        "/message/send",
        "/gettoken",
        "/message/send",
    ]


async def test_pushover_gets_a_form_without_secrets_in_the_address(hook: Server) -> None:
    await deliver("pushover", hook, ttl="5m", sound="siren")
    (request,) = hook.requests
    form = parse_qs(request.body.decode())
    assert request.path == "/1/messages.json"
    assert (form["token"], form["user"]) == ([SECRET], ["us3r-key"])
    assert (form["priority"], form["retry"], form["expire"]) == (["2"], ["60"], ["3600"])
    assert (form["ttl"], form["sound"]) == (["300"], ["siren"])


CLOSED = {
    "webhook": {"url": "http://x"},
    "email": {"to": "a@x", "from": "b@x", "smarthost": "x:25"},
    "apprise": {"url": "json://x"},
}


@pytest.mark.parametrize("kind", CLOSED)
async def test_a_channel_that_was_closed_by_a_reload_says_so(kind: str) -> None:
    section = CONFIGS[kind].model_validate(CLOSED[kind])
    channel = build(section.inherit(ChannelDefaults()), messages())
    await channel.close()
    delivery = await channel.deliver(notification())
    await channel.close()
    assert delivery.outcome is Outcome.RETRYABLE and "closed" in delivery.reason


def test_every_kind_is_tested_here_or_in_a_file_of_its_own() -> None:
    assert set(SECTIONS) | {
        "webhook",
        "email",
        "pagerduty",
        "slack",
        "apprise",
        "jira",
        "sns",
    } == set(CONFIGS)
