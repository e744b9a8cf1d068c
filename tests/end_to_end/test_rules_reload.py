"""Rules for anomalies, suppression rules and holidays, read again on reload."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.product import Product, start, unused_port


def write(config: Path, metric: str, suppression: str, holiday: str) -> None:
    conditions = {"time_window": 300, "max_alerts_in_window": 1}
    detection = {"rules": [{"matchers": [f"metric={metric}"], "ignore": True}]}
    settings: dict[str, Any] = {
        "components": {"anomaly_detection": detection},
        "alerting": {"suppression_rules": [{"name": suppression, "conditions": conditions}]},
        "calendar": {"holidays": [{"date": "2031-05-06", "name": holiday}]},
    }
    config.write_text(yaml.safe_dump(settings))


def in_force(product: Product) -> tuple[list[str], list[str], list[str]]:
    """The matchers of the rules for anomalies, the suppression rules, the holidays of a week."""
    rules = product.json("/api/anomalies/rules")["rules"]
    suppression = product.json("/api/alerts/suppression-rules")["suppression_rules"]
    events = product.json("/api/events", **{"from": 1935705600, "to": 1935964800})["events"]
    return (
        [matcher for rule in rules for matcher in rule["matchers"]],
        [rule["name"] for rule in suppression],
        [event["title"] for event in events],
    )


@pytest.mark.timeout(400)
def test_rules_and_holidays_are_read_again_and_a_refused_file_changes_nothing(
    tmp_path: Path,
) -> None:
    config = tmp_path / "settings.yml"
    write(config, "a_metric", "first", "Day one")
    product = start(tmp_path / "run", (unused_port(), unused_port()), "--config", str(config))
    try:
        before = in_force(product)
        assert before == (["metric=a_metric"], ["first"], ["Day one"])

        write(config, "a_metric", "second", "Day two")
        config.write_text(config.read_text().replace("metric=a_metric", "no matcher"))
        assert product.request("/-/reload", data=b"")[0] == 400
        assert in_force(product) == before

        write(config, "b_metric", "second", "Day two")
        assert product.request("/-/reload", data=b"")[0] == 200
        assert in_force(product) == (["metric=b_metric"], ["second"], ["Day two"])
    finally:
        product.stop()
