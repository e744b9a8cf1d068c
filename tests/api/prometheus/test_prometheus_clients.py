"""Prometheus's own command line against our API, over a socket."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
from prometheus_app import NOW, Stage, listening

pytestmark = pytest.mark.needs("promtool")


@pytest.fixture
def url(stage: Stage, free_port: Callable[[], int]) -> Iterator[str]:
    with listening(stage, free_port()) as url:
        yield url


@pytest.fixture
def promtool(program: Callable[[str], str], url: str) -> Callable[..., str]:
    def run(kind: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
        command = [program("promtool"), "query", kind, *options, url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


JSON = ("--format=json",)


def test_promtool_query_instant(promtool: Callable[..., str]) -> None:
    options = (*JSON, f"--time={NOW}")
    found = json.loads(promtool("instant", "sum by (code) (requests_total)", options=options))
    assert found == [
        {"metric": {"code": "200"}, "value": [NOW, "7800"]},
        {"metric": {"code": "500"}, "value": [NOW, "19500"]},
    ]


def test_promtool_query_range(promtool: Callable[..., str]) -> None:
    options = (*JSON, f"--start={NOW - 60}", f"--end={NOW}", "--step=20s")
    found = json.loads(promtool("range", "temperature_celsius", options=options))
    assert found[0]["values"] == [[NOW - ago, "20.5"] for ago in (60, 40, 20, 0)]


def test_promtool_query_series(promtool: Callable[..., str]) -> None:
    where = (f"--start={NOW - 600}", f"--end={NOW}", "--match=requests_total")
    found = promtool("series", options=where)
    assert found.count("requests_total") == 2
    assert 'code="500"' in found


def test_promtool_query_labels(promtool: Callable[..., str]) -> None:
    where = (f"--start={NOW - 600}", f"--end={NOW}")
    assert promtool("labels", "code", options=where).split() == ["200", "500"]


def test_promtool_shows_our_errors(program: Callable[[str], str], url: str) -> None:
    command = [program("promtool"), "query", "instant", url, "sum("]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "bad_data" in done.stderr
    assert "parse error" in done.stderr
