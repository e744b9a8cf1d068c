"""The product as a user runs it: from one command to a notification, and a clean stop."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.neighbours import Neighbour, until
from tests.product import start, unused_port


def _told(received: list[dict[str, Any]], status: str) -> bool:
    return any(
        alert["labels"]["alertname"] == "TargetDown" and alert["status"] == status
        for payload in received
        for alert in payload["alerts"]
    )


def test_a_target_that_stops_is_told_to_the_webhook_and_resolved_when_it_is_back(
    tmp_path: Path,
) -> None:
    receiver, target = Neighbour(), Neighbour("# TYPE jobs_total counter\njobs_total 7\n")
    receiver.start()
    target.start()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: shop\n"
        f"    static_configs: [{{targets: ['{target.address}']}}]\n"
    )
    product = start(
        tmp_path / "run",
        (unused_port(), unused_port()),
        "--prometheus-config",
        str(config),
        "--webhook-url",
        receiver.url,
    )
    try:
        product.wait_for('jobs_total{job="shop"} == 7')
        target.stop()
        until(lambda: _told(receiver.payloads, "firing"), product)
        active = product.json("/api/alerts/active")
        assert "TargetDown" in json.dumps(active)
        target.start()
        until(lambda: _told(receiver.payloads, "resolved"), product)
        assert product.request("/-/reload", data=b"")[0] == 200
        config.write_text("scrape_config: []\n")
        status, body = product.request("/-/reload", data=b"")
        assert status == 400
        assert b"did you mean 'scrape_configs'" in body
    finally:
        code = product.stop()
        target.stop()
        receiver.stop()
    assert code == 0, product.output()
    assert "everything acknowledged is stored" in product.output()


def test_what_was_stored_is_there_after_ctrl_c_and_after_a_kill(tmp_path: Path) -> None:
    ports = (unused_port(), unused_port())
    for value, how in ((1, signal.SIGINT), (2, signal.SIGKILL), (3, signal.SIGTERM)):
        product = start(tmp_path / "run", ports)
        body = json.dumps({"metric_name": f"kept_{value}", "value": value}).encode()
        assert product.request("/api/metrics", data=body)[0] == 200
        product.stop(how)
    product = start(tmp_path / "run", ports)
    try:
        for value in (1, 2, 3):
            assert [v for _, v in product.vector(f"last_over_time(kept_{value}[10m])")] == [value]
        report = product.json("/api/storage/verify")
        assert report["sound"] is True
    finally:
        product.stop()


def test_a_busy_port_and_a_locked_folder_are_one_clear_line_each(tmp_path: Path) -> None:
    product = start(tmp_path / "run", (unused_port(), unused_port()))
    try:
        command = [sys.executable, "-m", "pynomaly", "up", "--web-port", "0"]
        port = product.api.rpartition(":")[2]
        other = ["--data-dir", str(tmp_path / "other")]
        busy = subprocess.run(
            [*command, *other, "--api-port", port], capture_output=True, text=True, timeout=60
        )
        assert busy.returncode == 1
        assert f"Port {port} on 127.0.0.1 is in use" in busy.stderr
        assert "Traceback" not in busy.stderr
        same = ["--data-dir", str(product.data_dir), "--api-port", "0"]
        locked = subprocess.run([*command, *same], capture_output=True, text=True, timeout=60)
        assert locked.returncode == 1
        assert f"pid {product.process.pid}" in locked.stderr
        assert "Traceback" not in locked.stderr
    finally:
        product.stop()
