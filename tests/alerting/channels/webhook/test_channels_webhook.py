"""What a webhook gets besides Alertmanager's payload."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from channel_server import HANG, START, Reply, Server, alert, messages, notification, resolved

from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.webhook.channel import WebhookChannel
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome


async def deliver(config: dict[str, Any], told: Notification | None = None) -> Delivery:
    section = WebhookConfig.model_validate(config).inherit(ChannelDefaults())
    channel = WebhookChannel(section, messages())
    try:
        return await channel.deliver(told or notification())
    finally:
        await channel.close()


async def test_every_attempt_to_tell_one_state_carries_the_same_key(hook: Server) -> None:
    await deliver({"url": hook.url})
    await deliver({"url": hook.url})
    assert [r.headers["idempotency-key"] for r in hook.requests] == ["id-1", "id-1"]


async def test_a_secret_signs_the_time_and_the_body(hook: Server) -> None:
    await deliver({"url": hook.url, "hmac_secret": "sesame"})
    (request,) = hook.requests
    at = request.headers["x-pynomaly-timestamp"]
    signed = hmac.new(b"sesame", at.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert at == str(int(START))
    assert request.headers["x-pynomaly-signature"] == f"sha256={signed}"


async def test_without_a_secret_nothing_is_signed(hook: Server) -> None:
    await deliver({"url": hook.url})
    assert "x-pynomaly-signature" not in hook.requests[0].headers


async def test_the_address_and_the_secret_may_stand_in_files(hook: Server, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{hook.url}/from-file\n")
    (tmp_path / "key").write_text("sesame\n")
    config = {"url_file": str(tmp_path / "url"), "hmac_secret_file": str(tmp_path / "key")}
    assert (await deliver(config)).outcome is Outcome.DELIVERED
    assert hook.requests[0].path == "/from-file"
    assert "x-pynomaly-signature" in hook.requests[0].headers


async def test_a_file_that_is_missing_is_named_and_waited_for() -> None:
    delivery = await deliver({"url_file": "/nowhere/url"})
    assert delivery.outcome is Outcome.RETRYABLE and "/nowhere/url" in delivery.reason


async def test_the_address_may_be_a_template(hook: Server) -> None:
    await deliver({"url": hook.url + "/{{ .GroupLabels.alertname }}"})
    assert hook.requests[0].path == "/Down"


async def test_a_template_of_the_address_that_fails_is_not_shown() -> None:
    delivery = await deliver({"url": "http://x/s3cret/{{ .Nothing }}"})
    assert delivery.outcome is Outcome.PERMANENT
    assert "template" in delivery.reason and "s3cret" not in delivery.reason


async def test_max_alerts_says_how_many_are_left_out(hook: Server) -> None:
    told = notification(alert("a"), alert("b"), alert("c"))
    await deliver({"url": hook.url, "max_alerts": 2}, told)
    payload = hook.requests[0].json
    assert (len(payload["alerts"]), payload["truncatedAlerts"]) == (2, 1)


async def test_a_payload_of_ones_own_is_rendered_at_every_depth(hook: Server) -> None:
    payload = {
        "text": "{{ .Status }} since {{ .CommonAnnotations.summary }}",
        "{{ .Status }}": [1, True, None, "{{ len .Alerts }}"],
        "alerts": "{{ .Alerts.Firing | toJson }}",
        "time": "17:00",
    }
    await deliver({"url": hook.url, "payload": payload})
    sent = hook.requests[0].json
    assert sent["text"] == "firing since a is down"
    assert sent["firing"] == [1, True, None, 1]
    assert sent["alerts"][0]["labels"]["instance"] == "a"
    assert sent["time"] == "17:00"


async def test_a_payload_that_fails_is_not_tried_again(hook: Server) -> None:
    delivery = await deliver({"url": hook.url, "payload": {"a": "{{ .Nothing }}"}})
    assert delivery.outcome is Outcome.PERMANENT and "Nothing" in delivery.reason
    assert not hook.requests


async def test_the_receivers_name_is_shown_as_alertmanager_does(hook: Server) -> None:
    await deliver({"url": hook.url}, notification(resolved()))
    payload = hook.requests[0].json
    assert (payload["receiver"], payload["status"]) == ("team\\.x", "resolved")


async def test_its_timeout_holds(hook: Server) -> None:
    hook.replies = [Reply(HANG)]
    delivery = await deliver({"url": hook.url, "timeout": "150ms"})
    assert delivery == Delivery(Outcome.RETRYABLE, "no answer within 150ms")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "one of url and url_file"),
        ({"url": "http://x", "url_file": "f"}, "at most one of url"),
        ({"url": "hooks.example.com/s3cret"}, "an address such as"),
        ({"url": "http://x", "timeout": "10"}, "with its unit"),
        (
            {
                "url": "http://x",
                "http_config": {
                    "oauth2": {"client_id": "x", "token_url": "http://y", "grant_type": "jwt"}
                },
            },
            "oauth2: grant_type jwt is not supported; use client credentials",
        ),
    ],
)
def test_a_section_that_cannot_work_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WebhookConfig.model_validate(config)
