"""The product before two real Alertmanagers that are a cluster."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_webhook import Hook

from tests.product import Product, start, unused_port

pytestmark = [pytest.mark.needs("alertmanager"), pytest.mark.timeout(240)]

RULES = """
groups:
- name: g
  interval: 1s
  rules:
  - {alert: First, expr: vector(1), annotations: {summary: 'is {{ $value }}'}}
"""


class Member:
    """One Alertmanager; it may be killed and started again."""

    def __init__(self, program: str, folder: Path, hook: str, peers: list[int]) -> None:
        self.port, self.gossip = unused_port(), unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir()
        (folder / "alertmanager.yml").write_text(
            "route: {receiver: r, group_by: [alertname], group_wait: 0s, group_interval: 1s}\n"
            f"receivers: [{{name: r, webhook_configs: [{{url: '{hook}'}}]}}]\n"
        )
        self._folder = folder
        self._command = [
            program,
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--cluster.listen-address=127.0.0.1:{self.gossip}",
            *(f"--cluster.peer=127.0.0.1:{peer}" for peer in peers),
            "--cluster.peer-timeout=2s",
            "--cluster.settle-timeout=10s",
            "--cluster.gossip-interval=50ms",
            "--cluster.probe-interval=300ms",
            "--cluster.probe-timeout=200ms",
        ]
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdout=log, stderr=log
            )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v2{path}", timeout=30) as answer:
            return json.loads(answer.read())

    def peers(self) -> int:
        try:
            return len(self.ask("/status")["cluster"].get("peers") or ())
        except OSError:
            return 0


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as running:
        yield running


@pytest.fixture
def two(
    tmp_path: Path, hook: Hook, program: Callable[[str], str]
) -> Iterator[tuple[Member, Member]]:
    path = program("alertmanager")
    first = Member(path, tmp_path / "am-0", hook.url, [])
    second = Member(path, tmp_path / "am-1", hook.url, [first.gossip])
    until(lambda: first.peers() == second.peers() == 2)
    yield first, second
    first.kill()
    second.kill()


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def health(product: Product) -> dict[str, Any]:
    _, body = product.request("/api/system-health")
    found: dict[str, Any] = json.loads(body)["components"]["alertmanagers"]
    return found


def test_a_cluster_tells_once_also_when_a_member_is_gone(
    two: tuple[Member, Member], hook: Hook, tmp_path: Path
) -> None:
    first, second = two
    rules, config = tmp_path / "rules.yml", tmp_path / "config.yml"
    rules.write_text(RULES)
    config.write_text(
        f"alerting: {{alertmanagers: ['{first.url}', '{second.url}']}}\n"
        f"rules: {{rule_files: [rules.yml], defaults: [none], external_labels: {{site: lab}}}}\n"
    )
    ports = (unused_port(), unused_port())
    product = start(tmp_path / "run", ports, "--config", str(config))
    try:
        until(lambda: hook.named("First"))
        (told,) = hook.named("First")
        assert told["alerts"][0]["labels"] == {"alertname": "First", "site": "lab"}
        assert told["alerts"][0]["annotations"] == {"summary": "is 1"}
        for member in two:
            until(lambda member=member: [a["labels"] for a in member.ask("/alerts")])
        active = product.json("/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
        assert active == [{"url": f"{m.url}/api/v2/alerts"} for m in two]
        assert health(product)["status"] == "active"

        first.kill()
        rules.write_text(RULES.replace("First", "Second"))
        product.process.send_signal(signal.SIGHUP)
        until(lambda: hook.named("Second"))
        until(lambda: health(product)["status"] == "degraded")
        assert first.url in health(product)["reason"]
        until(lambda: any(p["status"] == "resolved" for p in hook.named("First")))

        silenced = {
            "matchers": [{"name": "alertname", "value": "Third", "isRegex": False}],
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z",
            "createdBy": "me",
            "comment": "by the cluster",
        }
        body = json.dumps(silenced).encode()
        status, said = product.request("/api/v2/silences", body)
        assert status == 200, said
        assert [s["comment"] for s in second.ask("/silences")] == ["by the cluster"]
        assert [s["comment"] for s in product.json("/api/v2/silences")] == ["by the cluster"]

        first.start()
        until(lambda: health(product)["status"] == "active")
        until(lambda: [a["labels"]["alertname"] for a in first.ask("/alerts")] == ["Second"])
        product.stop()
        product = start(tmp_path / "run", ports, "--config", str(config))
        fingerprint = product.json("/api/v2/alerts")[0]["fingerprint"]
        explained = product.json(f"/api/alerts/{fingerprint}/explain")
        assert "Alertmanagers decide" in json.dumps(explained)
    finally:
        product.stop()
    # Once each, whatever happened: the cluster saw the same alerts from everybody.
    assert [p["status"] for p in hook.named("First")] == ["firing", "resolved"]
    assert [p["status"] for p in hook.named("Second")][:1] == ["firing"]
    assert len(hook.named("Second")) == 1
