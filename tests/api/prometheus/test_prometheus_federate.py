"""Federation: the text, what is in it and what is not, and a real Prometheus that scrapes it."""

import asyncio
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from prometheus_app import NOW, Client, Stage, listening, serving
from prometheus_client.parser import text_string_to_metric_families

from pynomaly.api.prometheus.exposed import Escaping, negotiated
from pynomaly.model.clock import SystemClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch
from pynomaly.promql.contract import Matrix, QueryResult
from tests.peers import Peer

LAST = (NOW - 15) * 1000 + 123
"""When the last sample of the fixture is."""


def federate(client: Client, *selectors: str, **headers: str) -> str:
    asked = [("match[]", text) for text in selectors]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.get("/federate", asked, headers=named)
    assert answer.status_code == 200, answer.text
    return answer.text


def add(stage: Stage, *rows: tuple[Mapping[str, str], int, float]) -> None:
    batch = SampleBatch.of([(Labels(labels), at, value) for labels, at, value in rows])
    asyncio.run(stage.samples.append(batch))


def test_the_newest_samples_come_by_name_with_their_times(client: Client) -> None:
    assert federate(client, '{room="hall"}', "requests_total") == (
        "# TYPE requests_total untyped\n"
        f'requests_total{{code="200",job="api",instance=""}} 7800 {LAST}\n'
        f'requests_total{{code="500",job="api",instance=""}} 19500 {LAST}\n'
        "# TYPE temperature_celsius untyped\n"
        f'temperature_celsius{{room="hall",instance=""}} 20.5 {LAST}\n'
    )


def test_a_series_that_two_selectors_name_comes_once(client: Client) -> None:
    text = federate(client, "requests_total", 'requests_total{code="200"}')
    assert text.count("requests_total{") == 2


def test_a_selector_may_name_every_series(client: Client) -> None:
    assert federate(client, '{nosuch=""}') == federate(client, '{__name__=~".+"}')


def test_without_a_selector_there_is_nothing(client: Client) -> None:
    assert federate(client) == ""


def test_external_labels_are_added_where_a_series_has_none(stage: Stage) -> None:
    stage.external_labels = {"region": "eu", "instance": "us", "job": "federation"}
    add(stage, ({"__name__": "up", "job": "node", "instance": "a:9100"}, NOW * 1000, 1))
    with serving(stage) as client:
        assert federate(client, "up", '{room="hall"}') == (
            "# TYPE temperature_celsius untyped\n"
            'temperature_celsius{room="hall",instance="us",job="federation",region="eu"}'
            f" 20.5 {LAST}\n"
            "# TYPE up untyped\n"
            f'up{{instance="a:9100",job="node",region="eu"}} 1 {NOW * 1000}\n'
        )


def test_a_series_that_has_ended_or_is_old_is_left_out(stage: Stage) -> None:
    at = (NOW - 1) * 1000
    add(
        stage,
        ({"__name__": "ended", "a": "1"}, at - 5000, 1.0),
        ({"__name__": "ended", "a": "1"}, at, float(STALE)),
        ({"__name__": "ended", "a": "2"}, at, float("nan")),
        ({"__name__": "old", "a": "300s"}, (NOW - 300) * 1000, 1.0),
        ({"__name__": "old", "a": "more"}, (NOW - 300) * 1000 - 1, 1.0),
        ({"__name__": "future"}, NOW * 1000 + 1, 1.0),
        ({"a": "nameless"}, at, 1.0),
    )
    with serving(stage) as client:
        assert federate(client, '{a=~".+"}', "future") == (
            "# TYPE ended untyped\n"
            f'ended{{a="2",instance=""}} NaN {at}\n'
            "# TYPE old untyped\n"
            f'old{{a="300s",instance=""}} 1 {(NOW - 300) * 1000}\n'
        )


def test_where_markers_are_not_read_it_is_asked_what_is_alive(stage: Stage) -> None:
    class Alive:
        async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
            assert (expr, at_ms) == ("requests_total", NOW * 1000)
            found = Matrix.empty([at_ms])  # type: ignore[arg-type]
            found.labels.append(Labels({"__name__": "requests_total", "code": "500", "job": "api"}))
            return QueryResult(found)

    stage.alive = Alive()  # type: ignore[assignment]
    with serving(stage) as client:
        text = federate(client, "requests_total")
    assert 'code="500"' in text
    assert 'code="200"' not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e6, "1e+06"),
        (123456.5, "123456.5"),
        (1234567.0, "1.234567e+06"),
        (-0.0, "0"),
        (float("-inf"), "-Inf"),
        (1e-7, "1e-07"),
    ],
)
def test_numbers_are_written_as_go_does(stage: Stage, value: float, shown: str) -> None:
    add(stage, ({"__name__": "x"}, NOW * 1000, value))
    with serving(stage) as client:
        assert federate(client, "x").splitlines()[1] == f'x{{instance=""}} {shown} {NOW * 1000}'


def test_values_of_labels_are_escaped_and_read_back(stage: Stage) -> None:
    value = 'a "quoted"\nline \\ end'
    add(stage, ({"__name__": "x", "path": value}, NOW * 1000, 1.5))
    with serving(stage) as client:
        [family] = text_string_to_metric_families(federate(client, "x"))
    [sample] = family.samples
    assert (sample.name, sample.labels["path"], sample.value) == ("x", value, 1.5)
    assert float(sample.timestamp) == NOW


@pytest.mark.parametrize(
    ("escaping", "series"),
    [
        ("allow-utf-8", '{"http.größe","a-b_c"="1",instance=""}'),
        ("underscores", 'http_gr__e{a_b_c="1",instance=""}'),
        ("dots", 'http_dot_gr____e{a__b__c="1",instance=""}'),
        ("values", 'U__http_2e_gr_f6__df_e{U__a_2d_b__c="1",instance=""}'),
        ("nonsense", 'http_gr__e{a_b_c="1",instance=""}'),
    ],
)
def test_names_are_escaped_as_the_scraper_asks(stage: Stage, escaping: str, series: str) -> None:
    add(stage, ({"__name__": "http.größe", "a-b_c": "1"}, NOW * 1000, 2.0))
    with serving(stage) as client:
        text = federate(client, '{"http.größe"}', accept=f"text/plain;escaping={escaping}")
    name = '"http.größe"' if escaping == "allow-utf-8" else series.partition("{")[0]
    assert text == f"# TYPE {name} untyped\n{series} 2 {NOW * 1000}\n"


def test_the_format_says_its_version_and_escaping(client: Client) -> None:
    answer = client.get("/federate", {"match[]": "up"})
    expected = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    assert answer.headers["content-type"] == expected


@pytest.mark.parametrize(
    ("accept", "escaping"),
    [
        ("", Escaping.UNDERSCORES),
        ("*/*", Escaping.UNDERSCORES),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Escaping.ALLOW_UTF_8,
        ),
        ("text/plain;q=0.9, application/openmetrics-text;escaping=values;q=0.1", "underscores"),
        ("text/plain;version=9;escaping=dots,text/plain;q=x", Escaping.DOTS),
    ],
)
def test_the_escaping_is_taken_from_what_is_accepted(accept: str, escaping: str) -> None:
    assert negotiated(accept) == escaping


@pytest.mark.parametrize("selector", ["up{", "sum(up)", "up[5m]", "up offset 1m", ""])
def test_what_is_no_selector_is_refused_in_plain_text(client: Client, selector: str) -> None:
    answer = client.get("/federate", {"match[]": selector})
    assert (answer.status_code, answer.headers["content-type"]) == (
        400,
        "text/plain; charset=utf-8",
    )
    assert "parse error" in answer.text


def test_more_samples_than_allowed_are_refused(stage: Stage) -> None:
    stage.max_samples = 10
    with serving(stage) as client:
        answer = client.get("/federate", {"match[]": "requests_total"})
    assert answer.status_code == 422
    assert answer.text == "federation would load too many samples into memory\n"


def test_federation_waits_for_the_start(stage: Stage) -> None:
    stage.ready = False
    with serving(stage) as client:
        assert client.get("/federate", {"match[]": "up"}).status_code == 503


@pytest.mark.needs("promtool")
def test_promtool_reads_it(client: Client, program: Callable[[str], str]) -> None:
    text = federate(client, '{__name__=~".+"}')
    command = [program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    # 3: read, and there is no help text, as in every federation.
    assert done.returncode == 3, done.stderr
    assert "error while linting" not in done.stderr


@pytest.mark.needs("prometheus")
def test_a_prometheus_scrapes_it_with_labels_and_times(
    stage: Stage, tmp_path: Path, program: Callable[[str], str], free_port: Callable[[], int]
) -> None:
    stage.external_labels, stage.clock = {"region": "eu"}, SystemClock()
    at = int(time.time()) * 1000 - 30_123
    add(
        stage,
        ({"__name__": "job:requests:rate5m", "job": "api", "instance": "a:80"}, at, 12.5),
        ({"__name__": "job:requests:rate5m", "job": "db"}, at, 3e-9),
    )
    with listening(stage, free_port()) as ours:
        (tmp_path / "prometheus.yml").write_text(
            json.dumps(
                {
                    "scrape_configs": [
                        {
                            "job_name": "federation",
                            "scrape_interval": "1s",
                            "honor_labels": True,
                            "metrics_path": "/federate",
                            "params": {"match[]": ['{__name__=~"job:.*"}']},
                            "static_configs": [{"targets": [ours.removeprefix("http://")]}],
                        }
                    ]
                }
            )
        )
        peer = Peer("prometheus", program("prometheus"), tmp_path)
        try:
            peer.start()
            found = wait_for(peer.url, "job:requests:rate5m[10m]")
        finally:
            peer.kill()
    name = {"__name__": "job:requests:rate5m", "region": "eu"}
    assert sorted(found, key=str) == [
        {"metric": {**name, "instance": "a:80", "job": "api"}, "values": [[at / 1000, "12.5"]]},
        {"metric": {**name, "job": "db"}, "values": [[at / 1000, "3e-09"]]},
    ]


def wait_for(url: str, expr: str) -> list[dict[str, object]]:
    """The result of an instant query, once there is one."""
    deadline = time.monotonic() + 60
    query = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
    while time.monotonic() < deadline:
        with urllib.request.urlopen(query, timeout=30) as answer:
            if found := json.load(answer)["data"]["result"]:
                return list(found)
        time.sleep(0.1)
    raise AssertionError(f"{expr} gave nothing")
