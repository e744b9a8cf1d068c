"""The webhook channel against real receivers, and its payload beside Alertmanager's own."""

import asyncio
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alerting_receiver import receiver

from pynomaly.alerting.channels.messages import Messages, shipped_templates
from pynomaly.alerting.channels.webhook.channel import WebhookChannel
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.channels.webhook.payload import webhook_payload
from pynomaly.alerting.config import WebhookSettings
from pynomaly.alerting.contract import Notification, Outcome
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.document import ConfigError, load
from pynomaly.model.labels import Labels


def alert(instance: str, state: AlertState = AlertState.FIRING) -> Alert:
    labels = Labels({"alertname": "Down", "instance": instance, "job": "api"})
    annotations = Labels({"summary": f"{instance} is down", "runbook_url": "http://r"})
    resolved_at = 1_700_000_100.0 if state is AlertState.INACTIVE else 0.0
    at = 1_700_000_000.25
    return Alert(labels, annotations, state, 0.0, at, at, resolved_at, "http://g")


def notification(*alerts: Alert) -> Notification:
    labels = Labels({"alertname": "Down"})
    return Notification("webhook", "{}:" + str(labels), labels, alerts, 1_700_000_000.0)


def channel(url: str, timeout: str = "30s") -> WebhookChannel:
    config = WebhookConfig.model_validate({"url": url, "timeout": timeout})
    return WebhookChannel(config, Messages(shipped_templates(), "http://here", FakeClock()))


async def attempt(url: str, timeout: str = "30s") -> tuple[Outcome, str]:
    hook = channel(url, timeout)
    try:
        delivery = await hook.deliver(notification(alert("a")))
    finally:
        await hook.close()
    return delivery.outcome, delivery.reason


async def test_a_receiver_that_takes_it_gets_the_payload_as_json() -> None:
    async with receiver() as hook:
        assert await attempt(hook.url) == (Outcome.DELIVERED, "")
    assert hook.taken == [webhook_payload(notification(alert("a")), "http://here")]
    assert hook.headers[0]["content-type"] == "application/json"
    assert hook.headers[0]["user-agent"].startswith("Pynomaly/")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (500, Outcome.RETRYABLE),
        (503, Outcome.RETRYABLE),
        (429, Outcome.RETRYABLE),
        (408, Outcome.RETRYABLE),
        (400, Outcome.PERMANENT),
        (404, Outcome.PERMANENT),
        (302, Outcome.PERMANENT),
    ],
)
async def test_a_refusal_says_whether_trying_again_can_help(status: int, outcome: Outcome) -> None:
    async with receiver() as hook:
        hook.answers = [status]
        found, reason = await attempt(hook.url)
    assert found is outcome
    assert reason.startswith(str(status)) and reason.endswith(
        "not today" if status != 302 else "not followed"
    )


async def test_a_receiver_that_hangs_is_given_up_and_can_be_tried_again() -> None:
    async with receiver() as hook:
        hook.answers = [0]
        assert await attempt(hook.url, "200ms") == (Outcome.RETRYABLE, "no answer within 200ms")


async def test_a_port_that_nobody_listens_on_can_be_tried_again(
    free_port: Callable[[], int],
) -> None:
    outcome, reason = await attempt(f"http://127.0.0.1:{free_port()}/hook?secret=xyz")
    assert outcome is Outcome.RETRYABLE
    assert "cannot connect" in reason and "xyz" not in reason


def test_common_labels_are_those_that_all_alerts_share() -> None:
    payload = webhook_payload(
        notification(alert("a"), alert("b", AlertState.INACTIVE)), "http://here"
    )
    assert payload["commonLabels"] == {"alertname": "Down", "job": "api"}
    assert payload["commonAnnotations"] == {"runbook_url": "http://r"}
    first, second = payload["alerts"]
    assert (payload["status"], first["status"], second["status"]) == (
        "firing",
        "firing",
        "resolved",
    )
    assert (first["startsAt"], first["endsAt"], second["endsAt"]) == (
        "2023-11-14T22:13:20.250Z",
        "0001-01-01T00:00:00Z",
        "2023-11-14T22:15:00.000Z",
    )


def test_a_group_without_firing_alerts_is_resolved() -> None:
    assert (
        webhook_payload(notification(alert("a", AlertState.INACTIVE)), "")["status"] == "resolved"
    )


def test_an_address_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match=r"a\.yml:1: url: an address such as") as caught:
        load("url: hooks.example.com/s3cret", "a.yml", WebhookSettings)
    assert "WebhookSettings" not in str(caught.value)


def shape(value: Any) -> Any:
    """The names of a payload's fields and the types of their values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def post_alert(address: str) -> None:
    body = [
        {
            "labels": {"alertname": "Down", "instance": "a", "job": "api"},
            "annotations": {"summary": "a is down", "runbook_url": "http://r"},
            "generatorURL": "http://g",
        }
    ]
    request = urllib.request.Request(
        f"http://{address}/api/v2/alerts",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "Alertmanager did not start"
            time.sleep(0.05)


@pytest.mark.needs("alertmanager")
async def test_the_payload_has_the_fields_of_the_real_alertmanager(
    program: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    async with receiver() as hook:
        config = tmp_path / "alertmanager.yml"
        config.write_text(
            "route: {receiver: webhook, group_by: [alertname], group_wait: 0s}\n"
            f"receivers: [{{name: webhook, webhook_configs: [{{url: '{hook.url}'}}]}}]\n"
        )
        address = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen(
            [
                program("alertmanager"),
                f"--config.file={config}",
                f"--storage.path={tmp_path}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            await asyncio.to_thread(post_alert, address)
            await hook.until(1)
        finally:
            process.terminate()
            process.wait()
    (theirs,) = hook.taken
    ours = webhook_payload(notification(alert("a")), "http://here")
    newer = {"notification_reason": "", "routeLabels": {}}  # since Alertmanager 0.29 and 0.34
    assert shape(ours) == shape({**theirs, **newer})
    for same in ("receiver", "status", "groupLabels", "commonLabels", "commonAnnotations"):
        assert ours[same] == theirs[same]
    assert (ours["version"], ours["groupKey"]) == (theirs["version"], theirs["groupKey"])
    assert ours["alerts"][0]["endsAt"] == theirs["alerts"][0]["endsAt"]
