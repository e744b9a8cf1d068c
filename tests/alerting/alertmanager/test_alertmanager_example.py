"""``config/alertmanager.yml``, which ships as a beginning, says what it seems to."""

from pathlib import Path

import pytest

from pynomaly.alerting.alertmanager.load import load_alertmanager, remarks_on
from pynomaly.alerting.alertmanager.routes import build_routes
from pynomaly.model.labels import Labels

FILE = Path(__file__).parents[3] / "config" / "alertmanager.yml"


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "critical"}, ["pager"]),
        ({"severity": "warning"}, ["chat"]),
        ({"severity": "info"}, ["mail"]),
        ({"alertname": "SLOBurnRate", "severity": "critical"}, ["slo", "pager"]),
        ({"alertname": "Watchdog", "severity": "none"}, ["nobody"]),
    ],
)
def test_alerts_go_where_the_file_says(labels: dict[str, str], receivers: list[str]):
    root = build_routes(load_alertmanager(FILE))
    assert [end.receiver for end in root.match(Labels(labels))] == receivers


def test_only_the_secrets_are_missing():
    assert all("secrets/" in line for line in remarks_on(FILE))
