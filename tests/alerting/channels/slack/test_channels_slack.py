"""Slack by an incoming webhook and by an app, against a server that answers as Slack does."""

from pathlib import Path
from typing import Any

import pytest
from channel_server import HANG, Reply, Server, alert, messages, notification, resolved

from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.slack.blocks import whole_lines
from pynomaly.alerting.channels.slack.channel import SlackChannel
from pynomaly.alerting.channels.slack.config import SlackConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome

TAKEN = Reply(200, "ok")


async def deliver(config: dict[str, Any], *told: Notification) -> Delivery:
    """The last delivery of several; what one remembers is given to the next."""
    section = SlackConfig.model_validate(config).inherit(ChannelDefaults())
    channel = SlackChannel(section, messages())
    memory: dict[str, str] = {}
    delivery = Delivery(Outcome.DELIVERED)
    try:
        for one in told or (notification(),):
            from dataclasses import replace

            delivery = await channel.deliver(replace(one, memory=memory))
            memory = dict(delivery.memory or memory if delivery.memory is None else delivery.memory)
    finally:
        await channel.close()
    return delivery


def posted(ts: str = "1.5") -> Reply:
    return Reply(200, {"ok": True, "channel": "C1", "ts": ts})


def app(hook: Server, **config: Any) -> dict[str, Any]:
    url = f"{hook.url}/api/chat.postMessage"
    return {"app_url": url, "app_token": "xoxb-t0ken", "channel": "#ops", **config}


async def test_a_webhook_gets_blocks_in_the_color_of_the_state(hook: Server) -> None:
    hook.replies = [TAKEN, TAKEN]
    for told in (notification(), notification(resolved())):
        assert (await deliver({"api_url": hook.url}, told)).outcome is Outcome.DELIVERED
    firing, ended = (request.json["attachments"][0] for request in hook.requests)
    assert (firing["color"], ended["color"]) == ("danger", "good")
    header, section, context = firing["blocks"]
    assert header["text"]["text"].startswith("[FIRING 1] Down")
    assert "a is down" in section["text"]["text"] and "<http://runbook|Runbook>" in str(section)
    assert context["elements"][0]["text"] == "<http://here/alerts|All alerts>"
    assert firing["fallback"].startswith("[FIRING 1] Down")


async def test_what_means_something_to_slack_is_escaped(hook: Server) -> None:
    hook.replies = [TAKEN]
    await deliver({"api_url": hook.url}, notification(alert("<!channel>&")))
    text = hook.requests[0].json["attachments"][0]["blocks"][1]["text"]["text"]
    assert "&lt;!channel&gt;&amp;" in text and "<!channel>" not in text


async def test_a_long_message_is_cut_to_what_slack_takes(hook: Server) -> None:
    hook.replies = [TAKEN]
    many = [alert(f"{'x' * 60}-{n}") for n in range(200)]
    await deliver({"api_url": hook.url}, notification(*many))
    header, section, _ = hook.requests[0].json["attachments"][0]["blocks"]
    assert len(header["text"]["text"]) <= 150 and len(section["text"]["text"]) <= 3000
    assert section["text"]["text"].endswith("\n…")


def test_a_text_is_cut_between_lines_where_it_has_any() -> None:
    assert whole_lines("one\ntwo\nthree", 12) == "one\ntwo\n…"
    assert whole_lines("abcdef", 4) == "abc…"


async def test_alertmanagers_fields_make_its_attachment(hook: Server) -> None:
    hook.replies = [TAKEN]
    config = {
        "api_url": hook.url,
        "channel": "#alerts",
        "title": "Alert: {{ .GroupLabels.alertname }}",
        "text": "{{ .CommonAnnotations.summary }}",
        "fields": [{"title": "Job", "value": "{{ .CommonLabels.job }}", "short": True}],
        "actions": [
            {"type": "button", "text": "Go", "url": "http://go", "name": "lost"},
            {"type": "button", "text": "Do", "name": "do", "confirm": {"text": "Sure?"}},
        ],
        "message_text": "Hello",
        "icon_emoji": ":fire:",
        "link_names": True,
    }
    await deliver(config)
    sent = hook.requests[0].json
    (attachment,) = sent["attachments"]
    assert (sent["channel"], sent["text"], sent["icon_emoji"]) == ("#alerts", "Hello", ":fire:")
    assert sent["link_names"] is True and sent["username"] == "Pynomaly"
    assert (attachment["title"], attachment["text"]) == ("Alert: Down", "a is down")
    assert attachment["fields"] == [{"title": "Job", "value": "api", "short": True}]
    assert attachment["actions"] == [
        {"type": "button", "text": "Go", "url": "http://go"},
        {"type": "button", "text": "Do", "name": "do", "confirm": {"text": "Sure?"}},
    ]
    assert attachment["mrkdwn_in"] == ["fallback", "pretext", "text"]
    assert "blocks" not in attachment


async def test_blocks_of_ones_own_are_rendered_and_stay_texts(hook: Server) -> None:
    hook.replies = [TAKEN]
    text = {"type": "plain_text", "text": "{{ len .Alerts }}"}
    await deliver({"api_url": hook.url, "blocks": [{"type": "section", "text": text}]})
    (block,) = hook.requests[0].json["attachments"][0]["blocks"]
    assert block["text"]["text"] == "1"


async def test_an_app_posts_with_its_token_and_nobody_hears_of_it(
    hook: Server, tmp_path: Path
) -> None:
    hook.replies = [posted(), Reply(500, "your token xoxb-t0ken")]
    delivery = await deliver(app(hook), notification(), notification())
    first = hook.requests[0]
    assert first.path == "/api/chat.postMessage"
    assert first.headers["authorization"] == "Bearer xoxb-t0ken"
    assert delivery.reason == "500 Internal Server Error: your token <secret>"


async def test_news_of_a_group_change_its_message_until_it_is_resolved(hook: Server) -> None:
    hook.replies = [posted(), posted(), posted(), posted("2.5")]
    firing, worse = notification(), notification(alert("a"), alert("b"))
    delivery = await deliver(
        app(hook, update_message=True), firing, worse, notification(resolved()), firing
    )
    assert [r.path.rsplit("/")[-1] for r in hook.requests] == [
        "chat.postMessage",
        "chat.update",
        "chat.update",
        "chat.postMessage",
    ]
    changed = hook.requests[1].json
    assert (changed["ts"], changed["channel"]) == ("1.5", "C1")
    assert delivery.memory == {"ts": "2.5", "channel": "C1"}


async def test_without_update_message_every_message_is_new(hook: Server) -> None:
    hook.replies = [posted(), posted()]
    delivery = await deliver(app(hook), notification(), notification(resolved()))
    assert {r.path for r in hook.requests} == {"/api/chat.postMessage"}
    assert delivery.memory is None


async def test_a_message_that_is_gone_is_posted_anew(hook: Server) -> None:
    gone = Reply(200, {"ok": False, "error": "message_not_found"})
    hook.replies = [posted(), gone, posted("9.9")]
    delivery = await deliver(app(hook, update_message=True), notification(), notification())
    assert delivery.outcome is Outcome.DELIVERED
    assert delivery.memory == {"ts": "9.9", "channel": "C1"}


@pytest.mark.parametrize(
    ("reply", "outcome", "said"),
    [
        (Reply(200, {"ok": False, "error": "invalid_auth"}), Outcome.PERMANENT, "invalid_auth"),
        (Reply(200, {"ok": False, "error": "ratelimited"}), Outcome.RETRYABLE, "ratelimited"),
        (Reply(200, "no_text"), Outcome.PERMANENT, "no_text"),
        (Reply(404, "no_service"), Outcome.PERMANENT, "no_service"),
        (Reply(500, "rollup_error"), Outcome.RETRYABLE, "rollup_error"),
        (Reply(HANG), Outcome.RETRYABLE, "no answer within 200ms"),
    ],
)
async def test_what_slack_refuses_is_said(
    hook: Server, reply: Reply, outcome: Outcome, said: str
) -> None:
    hook.replies = [reply]
    delivery = await deliver({"api_url": hook.url, "timeout": "200ms"})
    assert delivery.outcome is outcome and said in delivery.reason


async def test_slacks_rate_limit_says_how_long_to_wait(hook: Server) -> None:
    hook.replies = [Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"})]
    delivery = await deliver(app(hook))
    assert (delivery.outcome, delivery.retry_after) == (Outcome.RETRYABLE, 30.0)


@pytest.mark.parametrize(
    ("config", "defaults", "said"),
    [
        ({}, {}, "no Slack address"),
        ({"api_url": "http://x", "app_token": "t"}, {}, "only one"),
        ({"api_url": "http://x", "update_message": True}, {}, "needs an app's token"),
        ({"api_url": "http://x", "fields": [{"title": "t"}]}, {}, "value"),
        ({"api_url": "http://x", "actions": [{"type": "b", "text": "t"}]}, {}, "name or a url"),
        (
            {"app_token": "t", "http_config": {"authorization": {"credentials": "c"}}},
            {},
            "only one",
        ),
        ({}, {"slack_api_url": "http://x", "slack_app_token": "t"}, "only one"),
    ],
)
def test_a_section_that_cannot_work_is_refused(
    config: dict[str, Any], defaults: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        SlackConfig.model_validate(config).inherit(ChannelDefaults.model_validate(defaults))


def test_the_address_of_global_is_used_unless_there_is_a_token() -> None:
    defaults = ChannelDefaults.model_validate({"slack_api_url": "http://global"})
    inherited = SlackConfig().inherit(defaults)
    assert inherited.api_url is not None
    assert inherited.api_url.get_secret_value() == "http://global"
