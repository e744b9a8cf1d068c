"""Apprise, by its own plugin for JSON, against a server that refuses and hangs."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from channel_server import HANG, Reply, Server, messages, notification, resolved

from pynomaly.alerting.channels.apprise.channel import AppriseChannel
from pynomaly.alerting.channels.apprise.config import AppriseConfig
from pynomaly.alerting.channels.errors import UnusableChannel
from pynomaly.alerting.contract import Delivery, Notification, Outcome

pytest.importorskip("apprise")
pytestmark = pytest.mark.filterwarnings("ignore:.imghdr")


async def deliver(config: dict[str, Any], told: Notification | None = None) -> Delivery:
    channel = AppriseChannel(AppriseConfig.model_validate(config), messages())
    try:
        return await channel.deliver(told or notification())
    finally:
        await channel.close()


def address(hook: Server) -> str:
    return hook.url.replace("http://", "json://us3r:passw0rd@") + "/s3cret-path"


async def test_a_service_of_apprise_gets_a_title_and_a_text(hook: Server) -> None:
    delivery = await deliver({"url": address(hook)})
    assert delivery == Delivery(Outcome.DELIVERED)
    await deliver({"url": address(hook)}, notification(resolved()))
    firing, ended = (request.json for request in hook.requests)
    assert firing["title"].startswith("[FIRING 1] Down") and "a is down" in firing["message"]
    assert (firing["type"], ended["type"]) == ("failure", "success")


async def test_texts_of_ones_own_are_rendered(hook: Server) -> None:
    await deliver({"url": address(hook), "title": "{{ .Status }}", "body": "{{ len .Alerts }}"})
    assert hook.requests[0].json["title"] == "firing" and hook.requests[0].json["message"] == "1"


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_a_refusal_can_be_tried_again_and_tells_no_secret(
    hook: Server, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.replies = [Reply(status, "no /s3cret-path for us3r:passw0rd")] * 5
    delivery = await deliver({"url": address(hook)})
    assert delivery.outcome is Outcome.RETRYABLE and delivery.reason.startswith("Apprise: ")
    for secret in ("s3cret-path", "passw0rd"):
        assert secret not in delivery.reason + caplog.text


async def test_a_service_that_hangs_is_given_up(hook: Server) -> None:
    hook.replies = [Reply(HANG)]
    delivery = await deliver({"url": address(hook), "timeout": "300ms"})
    assert delivery.outcome is Outcome.RETRYABLE and delivery.reason


async def test_the_address_may_stand_in_a_file(hook: Server, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(address(hook))
    assert (await deliver({"url_file": str(tmp_path / "url")})).outcome is Outcome.DELIVERED


async def test_without_the_package_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UnusableChannel, match=r"pynomaly-monitoring\[notify\]"):
        AppriseChannel(AppriseConfig.model_validate({"url": "json://x"}), messages())


async def test_an_address_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(UnusableChannel) as caught:
        await deliver({"url": "nonsense://s3cret"})
    assert "s3cret" not in str(caught.value)
