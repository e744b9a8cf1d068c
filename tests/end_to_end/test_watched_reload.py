"""Watched queries of the whole product: read again on reload, and tried on its own history."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.neighbours import until
from tests.product import Product, start, unused_port

QUERY = {"name": "up_share", "expr": "avg(process_cpu_seconds_total)", "step": "1s"}


def write(config: Path, queries: list[dict[str, Any]]) -> None:
    detection = {"queries": queries, "algorithms": [{"name": "statistical"}]}
    config.write_text(yaml.safe_dump({"components": {"anomaly_detection": detection}}))


def trainings(product: Product) -> dict[str, str]:
    found = product.json("/api/detection/models")["trainings"]
    return {each["query"]: each["error"] for each in found}


@pytest.mark.timeout(400)
def test_the_list_of_watched_queries_is_read_again_and_a_bad_one_changes_nothing(
    tmp_path: Path,
) -> None:
    config = tmp_path / "settings.yml"
    write(config, [QUERY])
    ports = (unused_port(), unused_port())
    product = start(tmp_path / "run", ports, "--config", str(config))
    try:
        until(lambda: set(trainings(product)) == {"up_share"}, product)

        write(config, [QUERY, {"name": "broken", "expr": "sum(", "step": "1s"}])
        status, body = product.request("/-/reload", data=b"")
        assert status == 400
        assert b"unclosed left parenthesis" in body
        assert set(trainings(product)) == {"up_share"}

        write(config, [{"name": "other", "expr": "avg(process_open_fds)", "step": "1s"}])
        assert product.request("/-/reload", data=b"")[0] == 200
        until(lambda: set(trainings(product)) == {"other"}, product)
        wanted = json.dumps({"query": "up_share"}).encode()
        status, body = product.request("/api/detection/models/train", data=wanted, headers=JSON)
        assert status == 404
        assert b"there are: other" in body

        product.wait_for("count_over_time(process_open_fds[10m]) >= 4")  # one may be too new
        backtest = json.dumps(
            {"query": "process_open_fds", "from": "10m", "step": "5s", "learn": "0s"}
        ).encode()
        status, body = product.request(
            "/api/anomalies/backtest", data=backtest, headers=JSON | {"accept": LINES}
        )
        assert status == 200, body
        found = json.loads(body.splitlines()[-1])["result"]
        assert found["algorithms"][0]["name"] == "judge"
        assert len(found["algorithms"][0]["events"]) == len(found["budgets"])
    finally:
        product.stop()


JSON = {"content-type": "application/json"}
LINES = "application/x-ndjson"
