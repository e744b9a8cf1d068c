"""PagerDuty's events, against a server that answers as PagerDuty does."""

import hashlib
from typing import Any

import pytest
from channel_server import Reply, Server, alert, messages, notification, resolved

from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.pagerduty.channel import PagerDutyChannel
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome

KEY = hashlib.sha256(b'{}:{alertname="Down"}').hexdigest()


def channel(hook: Server, **config: Any) -> PagerDutyChannel:
    key = {} if "service_key" in config else {"routing_key": "r0uting-key"}
    section = PagerDutyConfig.model_validate({"url": f"{hook.url}/v2/enqueue", **key, **config})
    return PagerDutyChannel(section.inherit(ChannelDefaults()), messages())


async def deliver(hook: Server, told: Notification | None = None, **config: Any) -> Delivery:
    pager = channel(hook, **config)
    try:
        return await pager.deliver(told or notification())
    finally:
        await pager.close()


async def test_a_group_that_fires_triggers_an_incident(hook: Server) -> None:
    hook.replies = [Reply(202, {"status": "success"})]
    told = notification(alert("a"), resolved("b"))
    assert (await deliver(hook, told, severity="critical")).outcome is Outcome.DELIVERED
    (request,) = hook.requests
    event = request.json
    assert request.path == "/v2/enqueue"
    assert (event["event_action"], event["dedup_key"]) == ("trigger", KEY)
    assert (event["routing_key"], event["client"]) == ("r0uting-key", "Pynomaly")
    assert event["client_url"] == "http://here/alerts"
    payload = event["payload"]
    assert payload["summary"].startswith("[FIRING 1] Down") and payload["severity"] == "critical"
    assert payload["source"] == "Pynomaly"
    details = payload["custom_details"]
    assert (details["num_firing"], details["num_resolved"]) == (1, 1)
    assert details["firing"][0]["labels"]["instance"] == "a"


async def test_a_group_that_is_resolved_resolves_it(hook: Server) -> None:
    await deliver(hook, notification(resolved()))
    event = hook.requests[0].json
    assert (event["event_action"], event["dedup_key"]) == ("resolve", KEY)


async def test_somebody_who_works_on_it_acknowledges_it(hook: Server) -> None:
    pager = channel(hook)
    assert (await pager.acknowledge(notification())).outcome is Outcome.DELIVERED
    await pager.close()
    assert hook.requests[0].json == {
        "routing_key": "r0uting-key",
        "event_action": "acknowledge",
        "dedup_key": KEY,
    }


async def test_an_acknowledgement_that_does_not_arrive_says_why_and_does_not_raise(
    hook: Server,
) -> None:
    hook.replies = [Reply(429, {})]
    busy = channel(hook)
    assert (await busy.acknowledge(notification())).outcome is Outcome.RETRYABLE
    await busy.close()
    wrong = channel(hook, service_key="s3rvice-key", description="{{ .Nothing.at.all }}")
    assert (await wrong.acknowledge(notification())).outcome is Outcome.PERMANENT
    await wrong.close()


async def test_details_images_and_links_are_rendered(hook: Server) -> None:
    await deliver(
        hook,
        details={"job": "{{ .CommonLabels.job }}", "num_firing": "many", "list": ["{{ .Status }}"]},
        images=[{"src": "http://i/{{ .Status }}", "alt": "i"}, {"alt": "none"}],
        links=[{"href": "{{ .ExternalURL }}", "text": "here"}, {"text": "nowhere"}],
        component="{{ .CommonLabels.job }}",
        **{"class": "outage"},
    )
    event = hook.requests[0].json
    details = event["payload"]["custom_details"]
    assert (details["job"], details["num_firing"], details["list"]) == ("api", "many", ["firing"])
    assert event["images"] == [{"src": "http://i/firing", "alt": "i", "href": ""}]
    assert event["links"] == [{"href": "http://here", "text": "here"}]
    assert (event["payload"]["component"], event["payload"]["class"]) == ("api", "outage")
    assert "group" not in event["payload"]


async def test_a_service_key_speaks_version_1_of_the_events(hook: Server) -> None:
    description = "{{ .GroupLabels.alertname }} - {{ .CommonAnnotations.summary }}"
    await deliver(hook, service_key="s3rvice-key", description=description)
    await deliver(hook, notification(resolved()), service_key="s3rvice-key")
    first, second = hook.requests
    assert first.path == "/generic/2010-04-15/create_event.json"
    event = first.json
    assert (event["service_key"], event["event_type"]) == ("s3rvice-key", "trigger")
    assert (event["incident_key"], event["description"]) == (KEY, "Down - a is down")
    assert event["client"] == "Pynomaly" and event["details"]["num_firing"] == 1
    assert second.json["event_type"] == "resolve" and "client" not in second.json


@pytest.mark.parametrize("key", [{}, {"service_key": "s3rvice-key"}])
async def test_an_event_that_is_too_large_goes_without_its_details(
    hook: Server, key: dict[str, str]
) -> None:
    many = [alert("x" * 500, n=str(n)) for n in range(700)]
    assert (await deliver(hook, notification(*many), **key)).outcome is Outcome.DELIVERED
    (request,) = hook.requests
    assert len(request.body) < 512_000
    event = request.json
    details = event["details"] if key else event["payload"]["custom_details"]
    assert list(details) == ["error"] and "512 KB" in details["error"]


async def test_of_alerts_without_number_the_first_are_told(hook: Server) -> None:
    many = [
        *(resolved(str(n)) for n in range(50)),
        *(alert("x" * 600 + str(n)) for n in range(2000)),
    ]
    assert (await deliver(hook, notification(*many))).outcome is Outcome.DELIVERED
    event = hook.requests[0].json
    assert event["event_action"] == "trigger"
    assert event["payload"]["custom_details"]["num_firing"] == 100


async def test_a_long_summary_is_cut(hook: Server) -> None:
    await deliver(hook, description="x" * 2000)
    assert len(hook.requests[0].json["payload"]["summary"]) == 1024


@pytest.mark.parametrize(
    ("reply", "key", "outcome", "reason"),
    [
        (
            Reply(400, {"message": "Invalid", "errors": ["'severity' is bad", "r0uting-key"]}),
            {},
            Outcome.PERMANENT,
            "400 Bad Request: Invalid: 'severity' is bad, <secret>",
        ),
        (Reply(429, "slow"), {}, Outcome.RETRYABLE, "429 Too Many Requests"),
        (Reply(403, "no"), {}, Outcome.PERMANENT, "403 Forbidden"),
        (Reply(403, "no"), {"service_key": "k"}, Outcome.RETRYABLE, "403 Forbidden"),
        (Reply(500, "oops"), {}, Outcome.RETRYABLE, "500 Internal Server Error"),
    ],
)
async def test_what_pagerduty_refuses_is_said_without_the_key(
    hook: Server, reply: Reply, key: dict[str, str], outcome: Outcome, reason: str
) -> None:
    hook.replies = [reply]
    delivery = await deliver(hook, **key)
    assert (delivery.outcome, delivery.reason) == (outcome, reason)


async def test_a_key_may_be_a_template_and_must_not_be_empty(hook: Server) -> None:
    await deliver(hook, routing_key="key-of-{{ .CommonLabels.job }}")
    assert hook.requests[0].json["routing_key"] == "key-of-api"
    delivery = await deliver(hook, routing_key="{{ .CommonLabels.nothing }}")
    assert delivery == Delivery(Outcome.PERMANENT, "routing_key is empty")


def test_a_section_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="routing_key or service_key"):
        PagerDutyConfig.model_validate({})
