"""The same targets, scraped by a real Prometheus and by us: the same series and values."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.ingest.scrape.rig import Rig, exposer, rig, until

# Each body's own number is the value of all its samples, so that a value says when it was there.
SCRIPT: tuple[str | int, ...] = (
    'a {}\nb{x="1"} {}\nb{x="2"} {}\ndropped {}\n',
    'a {}\nb{x="2"} {}\n# a comment\nc{job="mine",instance="",exported_job="x"} {}\n',
    503,
    'a{} {}\nb{x="1",} {}\nb { x = "2" } {}\n',
    "a {}\nthis is not a sample\n",
    'a {}\na 99\nb{x="q\\"u\\\\o\\nte ☃"} {}\nlong{y="' + "z" * 200 + '"} {}\n',
    "a {}\nc {}\n",
    '# TYPE h histogram\nh_bucket{le="0.5"} {}\nh_bucket{le="+Inf"} {}\nh_sum {}\nh_count {}',
    'a {}\nb{x="1"} {}\n',
    "",
    'b{x="1"} {}\nd +{}\n',
)

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: plain
    metrics_path: /plain
    static_configs: [{{targets: ['{address}'], labels: {{x: of_the_target}}}}]
    relabel_configs:
      - {{source_labels: [__address__], regex: '(.*):.*', target_label: host, replacement: h-$1}}
  - job_name: honoured
    metrics_path: /honoured
    honor_labels: true
    params: {{p: [q]}}
    static_configs: [{{targets: ['{address}'], labels: {{x: of_the_target}}}}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: dropped, action: drop}}
      - {{regex: 'host|exported_(.*)', action: labeldrop}}
      - {{source_labels: [x], regex: '(.)', target_label: y, replacement: '<${{1}}>'}}
  - job_name: limited
    metrics_path: /limited
    sample_limit: 3
    static_configs: [{{targets: ['{address}']}}]
"""


class Script:
    """Gives each scraper and job the bodies in turn, and the last one ever after."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, str], int] = {}

    def __call__(self, request: web.Request) -> web.Response:
        who = request.headers["User-Agent"].split("/")[0], request.path
        step = self.given.get(who, 0)
        self.given[who] = step + 1
        body = SCRIPT[min(step, len(SCRIPT) - 1)]
        if isinstance(body, int):
            return web.Response(status=body)
        return web.Response(text=body.replace(" {}", f" {step + 1}").replace("+{}", f"+{step + 1}"))

    def over(self, scraper: str) -> bool:
        steps = [n for (who, _), n in self.given.items() if who == scraper]
        return len(steps) == 3 and min(steps) > len(SCRIPT)


@asynccontextmanager
async def prometheus(program: str, port: int, config: str, folder: Path) -> AsyncIterator[str]:
    (folder / "prometheus.yml").write_text(config)
    arguments = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


async def asked(url: str, query: str) -> list[dict[str, Any]]:
    """The result of an instant query; nothing while the server is not up yet."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/api/v1/query", params={"query": query}) as answer,
        ):
            result: list[dict[str, Any]] = json.loads(await answer.text())["data"]["result"]
            return result
    except aiohttp.ClientError:
        return []


def named(metric: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(metric.items())


Told = dict[frozenset[tuple[str, str]], list[float]]
"""The values of each series in order; a value that repeats is told once, unless it is ``up``."""


def told(values: list[float], metric: dict[str, str]) -> list[float]:
    if metric["__name__"].startswith("up"):
        return values[: len(SCRIPT)]
    return list(dict.fromkeys(values))


def is_count(metric: dict[str, str]) -> bool:
    """How long a scrape took, and how far a failed one was counted, is each scraper's own."""
    return metric["__name__"].startswith("scrape_")


def ours(scraping: Rig) -> tuple[Told, set[frozenset[tuple[str, str]]]]:
    """What we stored, and the series that have not ended."""
    values: dict[frozenset[tuple[str, str]], list[float]] = {}
    live = set()
    for number, batch in enumerate(scraping.stored.batches):
        everything = scraping.stored.everything(number)
        for labels in {batch.labels[i] for i in batch.ids.tolist()}:
            series, value = named(dict(labels)), everything[str(labels)]
            if value == "stale":
                live.discard(series)
            else:
                live.add(series)
                values.setdefault(series, []).append(float(value))
    return {s: told(v, dict(s)) for s, v in values.items()}, live


@pytest.mark.needs("prometheus")
async def test_a_script_of_bodies_gives_the_same_series(
    program: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    async with exposer() as target:
        script = target.answer = Script()
        config = CONFIG.format(address=target.address)
        async with (
            prometheus(program("prometheus"), free_port(), config, tmp_path) as url,
            rig(config) as scraping,
        ):
            while not script.over("Pynomaly"):
                await scraping.tick(1.0)
            await until(lambda: script.over("Prometheus"), 90)
            await asyncio.sleep(0.2)  # the last of them may still be appended
            found = await asked(url, '{job=~".+"}[1h]')
            live = await asked(url, '{job=~".+"}')
    mine, my_live = ours(scraping)
    mine = {series: values for series, values in mine.items() if not is_count(dict(series))}
    theirs = {
        named(s["metric"]): told([float(v) for _, v in s["values"]], s["metric"])
        for s in found
        if not is_count(s["metric"])
    }
    assert mine.keys() == theirs.keys()
    for series, values in mine.items():
        # The last body is repeated; who is scraped once more than the other has more of it.
        assert abs(len(values) - len(theirs[series])) <= 2, series
        both = min(len(values), len(theirs[series]))
        assert values[:both] == theirs[series][:both], series
    assert my_live == {named(s["metric"]) for s in live}


@pytest.mark.needs("prometheus", "node-exporter")
async def test_a_node_exporter_gives_the_same_series(
    program: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    config = (
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: node, static_configs: [{{targets: ['{address}']}}]}}]\n"
    )
    exporter = subprocess.Popen(
        [program("node-exporter"), f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with (
            prometheus(program("prometheus"), free_port(), config, tmp_path) as url,
            rig(config) as scraping,
            asyncio.timeout(90),
        ):
            # Devices come and go, and counters of the exporter itself; at rest both agree.
            while True:
                await scraping.tick(1.0)
                _, mine = ours(scraping)
                theirs = {named(s["metric"]) for s in await asked(url, '{job="node"}')}
                if len(mine) > 200 and mine == theirs:
                    break
                await asyncio.sleep(0.5)
    finally:
        exporter.kill()
        exporter.wait()
    assert scraping.manager.targets() == []
    names = {dict(series)["__name__"] for series in mine}
    assert {"up", "node_cpu_seconds_total", "node_memory_MemTotal_bytes"} <= names
