"""The intents of Alertmanager's acceptance scenarios that no other story tells.

Its scenarios are in test/with_api_v2/acceptance and test/cli/acceptance; where the others are:
TestMergeAlerts…, TestRepeat, TestRetry, TestBatching, TestResolved, TestReload, TestInhibiting,
TestAlwaysInhibiting, TestSilencing and TestSendAlertsToUTF8Route in ``test_alerting_stories`` and
``test_alerting_restart``, TestEmptyInhibitionRule in ``inhibition``, those of the API in
``tests/api/alertmanager``, TestCluster… in ``cluster/test_cluster_real``. There is no classic mode
and no route prefix here.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from alerting_receiver import Receiver, receiver
from alerting_story import Inline, Story

from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.model.alert import fingerprint
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.server.alerting import Alerting
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records, RecordsSettings
from tests.product import start, unused_port

TWO_WAYS = """
global: {resolve_timeout: 10s}
route: {receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 5s}
receivers:
- name: team
  webhook_configs:
  - {url: 'http://x/all', send_resolved: true}
  - {url: 'http://x/firing', send_resolved: false}
"""


async def test_what_is_not_told_as_resolved_is_known_to_be(tmp_path: Path) -> None:
    """TestResolvedFilter: one that fires again is news also where its end was not told."""
    async with Story(TWO_WAYS, tmp_path) as story:
        await story.until(1)
        await story.push(story.alert(i="1"), story.alert(i="2"))
        await story.until(3)
        await story.push(story.alert(start=1, end=4, i="1"), story.alert(i="3"))
        await story.until(8)
        await story.push(story.alert(start=3, i="3"))
        await story.until(13)
        ways = {
            n: [(t.at, t.alerts) for t in story.told if t.notification.integration == n]
            for n in ("webhook[0]", "webhook[1]")
        }
        assert ways["webhook[0]"] == [
            (2.0, ["1", "2"]),
            (7.0, ["1!", "2", "3"]),
            (12.0, ["2!", "3"]),
        ]
        # It is given all alerts, of which Tell sends those that fire.
        assert [(at, [a for a in alerts if a[-1] != "!"]) for at, alerts in ways["webhook[1]"]] == [
            (2.0, ["1", "2"]),
            (7.0, ["2", "3"]),
        ]


COLD = """
route: {receiver: team, group_by: [], group_wait: 1s, group_interval: 6s, repeat_interval: 10m}
receivers:
- {name: team, webhook_configs: [{url: 'http://x/'}]}
"""


async def test_after_a_cold_start_what_senders_repeat_is_no_news(tmp_path: Path) -> None:
    """TestColdStart: there a delay waits for senders; here what they sent is still known."""
    async with Story(COLD, tmp_path) as story:
        await story.push(story.alert(start=-100, i="1"))
        await story.until(1)
        await story.push(story.alert(i="2"))
        await story.until(7)
        assert story.said() == [(0.0, ["1"]), (6.0, ["1", "2"])]
        await story.crash()
        await story.push(story.alert(start=-100, i="1"))
        await story.until(8)
        await story.push(story.alert(start=-100, i="3"))
        await story.until(8.5)
        await story.push(story.alert(start=1, i="2"))
        await story.until(20)
        ((at, told),) = story.said()[2:]
        assert told == ["1", "2", "3"]
        assert at <= 14


class NoRules:
    """Nothing fires by rules of our own."""

    def recent(self) -> list[object]:
        return []

    def unsettled(self) -> list[str]:
        return []


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


async def test_a_webhook_that_hangs_is_given_up_by_its_timeout_and_tried_again(
    hook: Receiver, tmp_path: Path
) -> None:
    """TestWebhookTimeout: long before its group is looked at again."""
    config = f"""
route: {{receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 10m}}
receivers:
- {{name: team, webhook_configs: [{{url: '{hook.url}', timeout: 200ms}}]}}
"""
    clock, records = FakeClock(), Records.open(RecordsSettings(), tmp_path)
    alerting = Alerting(
        records, NoRules(), clock, Bus(clock),
        external_url="http://here", retention=1e6, rate_limits={}, commits=Inline(records),
    )  # fmt: skip
    await alerting.start(parse_alertmanager(config, "test.yml", tmp_path))
    hook.answers = [0, 0]
    labels = Labels({"alertname": "Slow"})
    now = clock.now()
    alert = ReceivedAlert(labels, Labels(), now, now + 3600, now, fingerprint(labels))
    await alerting.manager.alerts.put([alert])
    async with asyncio.timeout(60):
        while not hook.taken:
            await clock.advance(0.5)
            await hook.until_idle()
    assert len(hook.attempts) == 3
    assert clock.now() - now < 600
    await alerting.close()
    records.close()


@pytest.mark.needs("amtool")
def test_amtool_imports_silences_and_says_which_it_could_not(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    """TestSilenceImport and its three faults."""
    product = start(tmp_path / "run", (unused_port(), unused_port()), PYNOMALY_DEFAULT_RULES="none")

    def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program("amtool"), f"--alertmanager.url={product.api}", "silence", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    try:
        for name in ("a", "b"):
            amtool("add", f"alertname={name}", "--comment=why")
        exported = amtool("query", "-o", "json").stdout
        (tmp_path / "all.json").write_text(exported)
        kept = json.loads(exported)
        assert len(kept) == 2
        amtool("expire", *[each["id"] for each in kept])
        assert json.loads(amtool("query", "-o", "json").stdout or "[]") == []
        assert amtool("import", str(tmp_path / "all.json")).returncode == 0
        assert len(json.loads(amtool("query", "-o", "json").stdout)) == 2

        (tmp_path / "broken.json").write_text('[{"broken": "json"')
        assert amtool("import", str(tmp_path / "broken.json")).returncode != 0

        good = {key: kept[0][key] for key in ("matchers", "startsAt", "endsAt")}
        good |= {"createdBy": "me", "comment": "imported"}
        bad = {**good, "matchers": []}
        (tmp_path / "some.json").write_text(json.dumps([bad, good]))
        done = amtool("import", str(tmp_path / "some.json"))
        # Whether it exits with an error is a race of amtool's own.
        assert "at least one matcher" in done.stdout + done.stderr
        comments = [each["comment"] for each in product.json("/api/v2/silences")]
        assert comments.count("imported") == 1
    finally:
        product.stop()
