"""Issues of Jira: created, updated, resolved and opened again, by what Jira's API answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from channel_server import messages, notification, resolved
from jira_server import Jira, jira

from pynomaly.alerting.channels.base import group_hash
from pynomaly.alerting.channels.build import build
from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.jira.config import JiraConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome


@pytest.fixture
async def server() -> AsyncIterator[Jira]:
    async with jira() as running:
        yield running


async def tell(server: Jira, told: Notification, version: int = 2, **fields: Any) -> Delivery:
    section = {
        "api_url": f"{server.url}/rest/api/{version}/",
        "project": "OPS",
        "issue_type": "Bug",
        "http_config": {"basic_auth": {"username": "me", "password": "t0ken"}},
        **fields,
    }
    config = JiraConfig.model_validate(section).inherit(ChannelDefaults())
    channel = build(config, messages())
    try:
        return await channel.deliver(told)
    finally:
        await channel.close()


async def test_a_group_that_fires_gets_an_issue(server: Jira) -> None:
    told = notification()
    delivery = await tell(
        server,
        told,
        labels=["alert", "{{ .CommonLabels.job }}"],
        priority="{{ if .Alerts.Firing }}High{{ end }}",
        fields={"customfield_1": {"value": "{{ .CommonLabels.job }}"}, "components": ["{{ 7 }}"]},
    )
    assert delivery == Delivery(Outcome.DELIVERED)
    label = f"ALERT{{{group_hash(told)}}}"
    fields = server.issues["OPS-1"]
    assert fields["project"] == {"key": "OPS"} and fields["issuetype"] == {"name": "Bug"}
    assert fields["summary"].startswith("[FIRING 1]") and "Down" in fields["summary"]
    assert "a is down" in fields["description"]
    assert fields["labels"] == sorted(["alert", "api", label])
    assert fields["priority"] == {"name": "High"}
    assert fields["customfield_1"] == {"value": "api"} and fields["components"] == [7]
    assert server.calls == [("POST", "/rest/api/2/search"), ("POST", "/rest/api/2/issue")]
    assert server.queries == [
        f'statusCategory != Done and project="OPS" and labels="{label}" '
        "order by status ASC,resolutiondate DESC"
    ]
    assert server.headers[0]["authorization"].startswith("Basic ")
    assert server.headers[0]["accept-language"] == "en"


async def test_the_same_group_updates_its_issue(server: Jira) -> None:
    await tell(server, notification(), summary="first", description="first")
    fixed = {"template": "second", "enable_update": False}
    await tell(server, notification(), summary="second", description=fixed)
    assert list(server.issues) == ["OPS-1"]
    assert server.issues["OPS-1"]["summary"] == "second"
    assert server.issues["OPS-1"]["description"] == "first"
    assert server.calls[-1] == ("PUT", "/rest/api/2/issue/OPS-1")


async def test_the_end_of_a_group_resolves_its_issue(server: Jira) -> None:
    await tell(server, notification())
    await tell(server, notification(resolved()), resolve_transition="Close")
    assert server.status == {"OPS-1": "done"}
    assert server.calls[-2:] == [
        ("GET", "/rest/api/2/issue/OPS-1/transitions"),
        ("POST", "/rest/api/2/issue/OPS-1/transitions"),
    ]


async def test_without_a_transition_an_issue_stays_open(server: Jira) -> None:
    await tell(server, notification())
    await tell(server, notification(resolved()))
    assert server.status == {"OPS-1": "new"}


async def test_what_fires_again_soon_reopens_its_issue(server: Jira) -> None:
    fields = {"resolve_transition": "Close", "reopen_transition": "Reopen", "reopen_duration": "2h"}
    await tell(server, notification(), **fields)
    await tell(server, notification(resolved()), **fields)
    await tell(server, notification(), **fields)
    assert server.status == {"OPS-1": "new"}
    assert "(resolutiondate is EMPTY OR resolutiondate >= -120m)" in server.queries[-1]


async def test_what_fires_again_later_gets_another_issue(server: Jira) -> None:
    fields = {"resolve_transition": "Close"}
    await tell(server, notification(), **fields)
    await tell(server, notification(resolved()), **fields)
    await tell(server, notification(), wont_fix_resolution='Won\'t "do"', **fields)
    assert server.status == {"OPS-1": "done", "OPS-2": "new"}
    wanted = r'(resolution is EMPTY or resolution != "Won' + "'" + r't \"do\"") and '
    assert server.queries[-1].startswith(wanted)


async def test_of_a_group_that_is_over_no_issue_is_created(server: Jira) -> None:
    assert (await tell(server, notification(resolved()))).outcome is Outcome.DELIVERED
    assert server.issues == {}


async def test_atlassians_own_is_searched_as_it_wants(server: Jira) -> None:
    await tell(server, notification(), api_type="cloud")
    assert server.calls == [("POST", "/rest/api/3/search/jql"), ("POST", "/rest/api/2/issue")]
    section = {"project": "x", "issue_type": "y"}
    auto = JiraConfig.model_validate({**section, "api_url": "https://a.atlassian.net/rest/api/3"})
    own = JiraConfig.model_validate({**section, "api_url": "https://jira.example.com/rest/api/2"})
    assert (auto.cloud, own.cloud) == (True, False)


async def test_version_3_gets_a_document(server: Jira) -> None:
    await tell(server, notification(), version=3, description="one\ntwo\n\nthree")
    assert server.issues["OPS-1"]["description"] == {
        "type": "doc",
        "version": 1,
        "content": [
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "one"},
                    {"type": "hardBreak"},
                    {"type": "text", "text": "two"},
                ],
            },
            {"type": "paragraph", "content": [{"type": "text", "text": "three"}]},
        ],
    }
    await tell(server, notification(), version=3, description='{"type": "doc", "content": []}')
    assert server.issues["OPS-1"]["description"] == {"type": "doc", "content": []}


async def test_texts_are_cut_where_jira_would_refuse_them(server: Jira) -> None:
    await tell(server, notification(), summary="s" * 300, description="d" * 40_000)
    fields = server.issues["OPS-1"]
    assert (len(fields["summary"]), len(fields["description"])) == (255, 32_767)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(429, Outcome.RETRYABLE), (503, Outcome.RETRYABLE), (400, Outcome.PERMANENT)],
)
async def test_what_jira_says_is_wrong_is_told(server: Jira, status: int, outcome: Outcome) -> None:
    server.fail = [status]
    delivery = await tell(server, notification())
    assert delivery.outcome is outcome
    assert delivery.reason.endswith("not so; priority: is not on the screen")


async def test_a_transition_that_jira_does_not_offer_is_named(server: Jira) -> None:
    await tell(server, notification())
    delivery = await tell(server, notification(resolved()), resolve_transition="Bury")
    assert delivery == Delivery(Outcome.PERMANENT, "the issue OPS-1 has no transition 'Bury' now")


def test_an_address_is_needed_here_or_in_global() -> None:
    section = JiraConfig.model_validate({"project": "x", "issue_type": "y"})
    with pytest.raises(ValueError, match="jira_api_url in global"):
        section.inherit(ChannelDefaults())
    found = section.inherit(ChannelDefaults(jira_api_url="https://jira/rest/api/2"))
    assert found.base == "https://jira/rest/api/2"
