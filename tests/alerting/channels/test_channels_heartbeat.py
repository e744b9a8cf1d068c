"""The heartbeat, against a service that fails."""

from typing import Any

import pytest
from channel_server import HANG, START, Reply, Server

from pynomaly.alerting.config import HeartbeatSettings
from pynomaly.alerting.heartbeat import Heartbeat, NoHeartbeat
from pynomaly.model.clock import FakeClock
from pynomaly.observability import REGISTRY


async def beat(url: str, *, firing: str = "Watchdog", **settings: Any) -> None:
    section = HeartbeatSettings.model_validate({"url": url, **settings})
    heart = Heartbeat(section, lambda name: name == firing, FakeClock(START))
    try:
        await heart.beat()
    finally:
        await heart.close()


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("pynomaly_heartbeats_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
async def test_while_the_watchdog_fires_the_service_is_called(hook: Server, method: str) -> None:
    before = count("sent")
    await beat(f"{hook.url}/ping/t0ken", method=method)
    (request,) = hook.requests
    assert (request.method, request.path, request.body) == (method, "/ping/t0ken", b"")
    assert count("sent") == before + 1
    last = REGISTRY.get_sample_value("pynomaly_heartbeat_last_sent_timestamp_seconds")
    assert last == START


async def test_while_it_does_not_fire_nothing_is_sent_and_that_is_an_error(hook: Server) -> None:
    clock = FakeClock(START)
    firing = {"Watchdog"}
    section = HeartbeatSettings.model_validate({"url": hook.url})
    heart = Heartbeat(section, firing.__contains__, clock)
    await heart.beat()
    firing.clear()
    with pytest.raises(NoHeartbeat, match="Watchdog does not fire"):
        await heart.beat()
    await heart.close()
    assert len(hook.requests) == 1


async def test_after_a_start_the_alert_is_given_time_to_fire_for_the_first_time(
    hook: Server,
) -> None:
    clock = FakeClock(START)
    heart = Heartbeat(HeartbeatSettings.model_validate({"url": hook.url}), lambda _: False, clock)
    await heart.beat()
    await clock.advance(179)
    await heart.beat()
    await clock.advance(1)
    with pytest.raises(NoHeartbeat):
        await heart.beat()
    await heart.close()
    assert not hook.requests


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404, "no /ping/t0ken-secret"), "404 Not Found: no <secret>"),
        (Reply(500), "500"),
        (Reply(302, headers={"Location": "/login"}), "redirect"),
        (Reply(HANG), "no answer within 200ms"),
    ],
)
async def test_a_failure_is_an_error_without_the_secret(
    hook: Server, reply: Reply, said: str
) -> None:
    hook.replies = [reply]
    before = count("failed")
    with pytest.raises(NoHeartbeat) as caught:
        await beat(f"{hook.url}/ping/t0ken-secret", timeout="200ms")
    assert said in str(caught.value) and "t0ken-secret" not in str(caught.value)
    assert count("failed") == before + 1
