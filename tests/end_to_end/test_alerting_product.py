"""The alert manager in the product: amtool and a real Prometheus against it, and kill -9."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.neighbours import Neighbour, until
from tests.product import Product, start, unused_port

CONFIG = """
route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
  - {{receiver: pages, matchers: ['severity="critical"']}}
receivers:
- name: team
  webhook_configs: [{{url: '{url}'}}]
- name: pages
"""


class Hook(Neighbour):
    """A webhook receiver."""

    def told(self) -> list[tuple[str, list[str]]]:
        return [
            (p["status"], sorted(a["labels"].get("instance", "") for a in p["alerts"]))
            for p in list(self.payloads)
        ]


@pytest.fixture
def hook() -> Iterator[Hook]:
    receiver = Hook()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def up(tmp_path: Path, hook: Hook) -> Iterator[Callable[[], Product]]:
    """Start the product on the same folder and ports each time."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(CONFIG.format(url=hook.url))
    ports, started = (unused_port(), unused_port()), []
    environment = {"PYNOMALY_ALERTMANAGER_CONFIG": str(path), "PYNOMALY_DEFAULT_RULES": "none"}

    def run() -> Product:
        started.append(start(tmp_path / "run", ports, **environment))
        return started[-1]

    yield run
    for product in started:
        if product.process.poll() is None:
            product.process.kill()
            product.process.wait(30)


def post(product: Product, *alerts: dict[str, Any]) -> int:
    body = json.dumps(alerts).encode()
    return product.request("/api/v2/alerts", body, {"content-type": "application/json"})[0]


def alert(instance: str, name: str = "Down", **fields: Any) -> dict[str, Any]:
    return {"labels": {"alertname": name, "instance": instance}, **fields}


@pytest.mark.needs("amtool")
def test_amtool_works_unchanged(
    up: Callable[[], Product], program: Callable[[str], str], hook: Hook
) -> None:
    product = up()

    def amtool(*arguments: str) -> str:
        command = [program("amtool"), f"--alertmanager.url={product.api}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    amtool("alert", "add", "Disk", "instance=a", "severity=low", "--annotation=summary=full")
    amtool("alert", "add", "Disk", "instance=b", "severity=critical")
    assert re.search(r"^Disk .*full +active", amtool("alert", "query"), re.MULTILINE)
    assert "Disk" not in amtool("alert", "query", "instance=c")
    assert len(json.loads(amtool("alert", "query", "-o", "json", "--receiver=pages"))) == 1
    until(lambda: hook.told() == [("firing", ["a"])], product)

    silence = amtool("silence", "add", "instance=a", "--comment=why").strip()
    assert "why" in amtool("silence", "query", "instance=a")
    (shown,) = json.loads(amtool("alert", "query", "--silenced", "-o", "json"))
    assert shown["status"]["silencedBy"] == [silence]
    assert amtool("silence", "update", "--duration=3h", "--comment=longer", silence)
    assert "longer" in amtool("silence", "query")
    amtool("silence", "expire", silence)
    assert silence not in amtool("silence", "query")
    assert silence in amtool("silence", "query", "--expired")

    assert "pages" in amtool("config", "routes", "show")
    assert amtool("config", "routes", "test", "severity=critical").strip() == "pages"
    assert "receiver: team" in amtool("config", "show")
    assert "disabled" in amtool("cluster", "show")


@pytest.mark.needs("prometheus")
def test_a_real_prometheus_sends_its_alerts(
    up: Callable[[], Product], program: Callable[[str], str], hook: Hook, tmp_path: Path
) -> None:
    product = up()
    folder = tmp_path / "prometheus"
    folder.mkdir()
    port = unused_port()
    target = product.api.removeprefix("http://")
    (folder / "rules.yml").write_text(
        "groups: [{name: g, interval: 1s, rules: [{alert: FromPrometheus, expr: vector(7), "
        "labels: {instance: p}, annotations: {summary: 'is {{ $value }}'}}]}]"
    )
    (folder / "prometheus.yml").write_text(
        f"rule_files: [rules.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{target}']}}]}}]}}\n"
    )
    options = [
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--rules.alert.resend-delay=1s",  # its first may find no alertmanager yet, and is lost
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    server = subprocess.Popen(
        [program("prometheus"), *options],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: hook.told(), product)
    finally:
        server.kill()
        server.wait(30)
    (payload, *_) = hook.payloads
    assert payload["commonAnnotations"] == {"summary": "is 7"}
    (shown,) = product.json("/api/v2/alerts")
    assert shown["labels"]["alertname"] == "FromPrometheus"
    assert shown["generatorURL"].startswith("http")


def test_after_kill_9_nothing_acknowledged_is_lost_and_nothing_is_told_twice(
    up: Callable[[], Product], hook: Hook
) -> None:
    product = up()
    assert post(product, *(alert(str(i)) for i in range(50))) == 200
    until(lambda: hook.told(), product)
    # Wait for what was told to be written down, which is a moment after the receiver answered.
    until(lambda: "delivered" in _history(product), product)
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait(30)

    product = up()
    assert len(product.json("/api/v2/alerts")) == 50
    # Something new in the same group comes with all of it, after ticks that told nothing.
    time.sleep(2)
    assert len(hook.told()) == 1
    assert post(product, alert("new")) == 200
    until(lambda: len(hook.told()) == 2, product)
    assert len(hook.told()[1][1]) == 51


def _history(product: Product) -> str:
    return product.request("/api/alerts/notifications")[1].decode()


def test_a_notification_that_was_under_way_at_kill_9_comes_again_under_its_own_id(
    up: Callable[[], Product], hook: Hook
) -> None:
    hook.slow = 30.0
    product = up()
    assert post(product, alert("a")) == 200
    until(lambda: hook.told(), product)
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait(30)
    hook.slow = 0.0
    product = up()
    until(lambda: len(hook.told()) == 2, product)
    assert hook.told() == [("firing", ["a"])] * 2
    time.sleep(2)
    assert len(hook.told()) == 2


def test_an_alert_acknowledged_right_before_kill_9_is_told_after_the_start(
    up: Callable[[], Product], hook: Hook
) -> None:
    product = up()
    assert post(product, alert("a", name="Late")) == 200
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait(30)
    product = up()
    until(lambda: hook.told(), product)
    assert hook.told()[-1] == ("firing", ["a"])
