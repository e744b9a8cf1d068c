"""``/api/v1/admin/tsdb``: as Prometheus answers, and beside Debian's, what is deleted."""

import json
import random
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cramjam
import pytest

from pynomaly.ingest.remote_write import v1_pb2
from tests.peers import WRITABLE, Peer
from tests.product import Product, start, unused_port

ADMIN = "/api/v1/admin/tsdb"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ask(
    url: str, path: str, pairs: Sequence[tuple[str, str]] = (), method: str = "POST"
) -> tuple[int, str]:
    """Status and body; the form goes in the body, as promtool and curl -d send it."""
    body = urllib.parse.urlencode(pairs).encode()
    request = urllib.request.Request(url + path, data=body, headers=FORM, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("admin")
    options = ["--enable-admin-api"]
    quiet = {"PYNOMALY_HOST_METRICS": "false", "PYNOMALY_DEFAULT_RULES": "none"}
    running = start(folder, (unused_port(), unused_port()), *options, **quiet)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("prometheus")
    program = shutil.which("prometheus")
    assert program, "mark the test with needs('prometheus')"
    peer = Peer("prometheus", program, folder, WRITABLE, "--web.enable-admin-api")
    peer.start()
    yield peer
    peer.kill()


SELECTED = ("match[]", 'nothing{a="b"}')


@pytest.mark.parametrize(
    ("path", "pairs"),
    [
        ("delete_series", []),
        ("delete_series", [SELECTED]),
        ("delete_series", [SELECTED, ("match[]", "{}"), ("end", "5")]),
        ("delete_series", [SELECTED, ("match[]", '{a=~".*"}'), ("end", "5")]),
        ("delete_series", [SELECTED, ("start", "20"), ("end", "10")]),
        ("delete_series", [SELECTED, ("start", "tomorrow")]),
        ("delete_series", [SELECTED, ("end", "tomorrow")]),
        ("delete_series", [("match[]", "sum(up)")]),
        ("delete_series", [("match[]", "up[5m]")]),
        ("delete_series", [("match[]", "up offset 5m")]),
        ("delete_series", [("match[]", "up{")]),
        ("delete_series", [("match[]", "")]),
        ("clean_tombstones", []),
        ("snapshot", []),
        ("snapshot", [("skip_head", "T")]),
        ("snapshot", [("skip_head", "maybe")]),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.needs("prometheus")
def test_answers_are_prometheuss(
    product: Product, prometheus: Peer, path: str, pairs: list[tuple[str, str]], method: str
) -> None:
    ours = ask(product.api, f"{ADMIN}/{path}", pairs, method)
    theirs = ask(prometheus.url, f"{ADMIN}/{path}", pairs, method)
    assert shape(ours) == shape(theirs)


def shape(answer: tuple[int, str]) -> Any:
    """What must be the same: not names of snapshots, nor the words of the parsers."""
    status, body = answer
    if not body:
        return status, None
    found = json.loads(body)
    found.pop("hint", None)
    if found["status"] == "success":
        assert len(found["data"]["name"]) == len("20060102T150405Z-0123456789abcdef")
        return status, "success"
    found["error"] = found["error"].lower().partition(": ")[::2]
    if found["error"][1].partition("parse error")[1]:
        found["error"] = (found["error"][0], "parse error")
    return status, found


def test_it_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    running = start(tmp_path, (unused_port(), unused_port()))
    try:
        for path in ("delete_series", "clean_tombstones", "snapshot"):
            status, body = ask(running.api, f"{ADMIN}/{path}", [("match[]", "up")])
            expected = {"status": "error", "errorType": "unavailable"}
            assert status == 500
            assert json.loads(body) == {**expected, "error": "admin APIs disabled"}
        command = [sys.executable, "-m", "pynomaly", "storage", "snapshot", "--url", running.api]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "--enable-admin-api" in done.stderr) == (1, True)
    finally:
        running.stop()


Row = tuple[dict[str, str], int, float]


def write(urls: Sequence[str], rows: Sequence[Row]) -> None:
    """The same rows to every server by remote write."""
    request = v1_pb2.WriteRequest()
    for labels, at, value in rows:
        series = request.timeseries.add()
        for name, text in sorted(labels.items()):
            series.labels.add(name=name.encode(), value=text.encode())
        series.samples.add(timestamp=at, value=value)
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    for url in urls:
        sent = urllib.request.Request(f"{url}/api/v1/write", data=body, headers=headers)
        urllib.request.urlopen(sent, timeout=60).read()


def read(url: str, path: str, **params: Any) -> Any:
    query = urllib.parse.urlencode(params)
    with urllib.request.urlopen(f"{url}{path}?{query}", timeout=60) as answer:
        return json.loads(answer.read())["data"]


def samples(url: str, now: float) -> dict[str, list[tuple[float, float]]]:
    """Every sample of the last days, by series."""
    data = read(url, "/api/v1/query", query='{kind="deleted"}[3d]', time=now)
    return {
        json.dumps(each["metric"], sort_keys=True): [(t, float(v)) for t, v in each["values"]]
        for each in data["result"]
    }


def series(url: str, now: float) -> list[str]:
    found = read(
        url,
        "/api/v1/series",
        **{"match[]": '{kind="deleted"}', "start": now - 3 * 86_400, "end": now},
    )
    return sorted(json.dumps(each, sort_keys=True) for each in found)


SELECTORS = [
    ['m1{kind="deleted"}'],
    ['{kind="deleted", i=~"[0-3]"}'],
    ['{kind="deleted", job!="a"}', 'm0{kind="deleted", i="2"}'],
    ['{kind="deleted", i!~"1|2|3", job="a"}'],
    ['{kind="deleted", absent="", i="5"}'],
]


@pytest.mark.needs("prometheus")
def test_what_is_left_is_what_prometheus_leaves(product: Product, prometheus: Peer) -> None:
    """Writing in the order of time and deleting; compared after each deletion.

    Of late samples Prometheus deletes none that are in its head yet, so there are none here.
    """
    chance, urls = random.Random(11), [product.api, prometheus.url]
    now = time.time()
    first = round(now - 2 * 86_400) * 1000 + 137
    names = [
        {"__name__": f"m{i % 3}", "kind": "deleted", "job": "ab"[i % 2], "i": str(i)}
        for i in range(8)
    ]
    for number in range(20):
        times = [first + t * 600_000 for t in range(14 * number, 14 * number + 14)]
        write(urls, [(each, at, float(number)) for at in times for each in names])
        start_s = first / 1000 + chance.randrange(600 * 14 * (number + 1))
        pairs = [("match[]", text) for text in chance.choice(SELECTORS)]
        pairs += [("start", f"{start_s:.3f}"), ("end", f"{start_s + chance.randrange(20_000):.3f}")]
        if number == 15:
            pairs = pairs[:-2]
        for url in urls:
            assert ask(url, f"{ADMIN}/delete_series", pairs)[0] == 204
        ours, theirs = (samples(url, now) for url in urls)
        assert ours == theirs, pairs
        # Prometheus names those without samples until its head is cut; we do not.
        assert series(product.api, now) == sorted(theirs)
    assert json.loads(product.request("/api/storage/verify")[1])["sound"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pynomaly", "storage", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_counts_asks_and_deletes(product: Product) -> None:
    now = round(time.time() * 1000)
    write(
        [product.api], [({"__name__": "cli", "i": str(i)}, now - 1000 * i, 1.0) for i in range(5)]
    )
    counted = run("delete", "cli", "--dry-run", "--url", product.api)
    assert "5 samples of 5 series" in counted.stdout
    refused = run("delete", "cli", "--url", product.api)
    assert (refused.returncode, "--yes" in refused.stderr) == (1, True)
    assert len(product.vector("cli")) == 5
    done = run("delete", 'cli{i=~"[12]"}', "--from", "1h", "--yes", "--json", "--url", product.api)
    assert json.loads(done.stdout) == {"series": 2, "samples": 2, "deleted": True}
    assert {labels["i"] for labels, _ in product.vector("cli")} == {"0", "3", "4"}


def test_a_product_started_on_a_snapshot_has_everything(product: Product, tmp_path: Path) -> None:
    now = round(time.time() * 1000)
    rows = [({"__name__": "kept", "i": str(i)}, now - 60_000 * i, float(i)) for i in range(50)]
    write([product.api], rows)
    name = json.loads(run("snapshot", "--json", "--url", product.api).stdout)["name"]
    shutil.copytree(product.data_dir / "snapshots" / name, tmp_path / "data", symlinks=True)
    restored = start(tmp_path, (unused_port(), unused_port()))
    try:
        params = {"query": "kept[2h]", "time": now / 1000}
        expected = read(product.api, "/api/v1/query", **params)
        assert len(expected["result"]) == 50
        assert read(restored.api, "/api/v1/query", **params) == expected
        assert (tmp_path / "data" / "records.sqlite").exists()
    finally:
        restored.stop()


def test_the_commands_work_on_a_folder_that_no_server_has(tmp_path: Path) -> None:
    running = start(tmp_path, (unused_port(), unused_port()))
    now = round(time.time() * 1000)
    write([running.api], [({"__name__": "cli", "i": str(i)}, now - i, 1.0) for i in range(5)])
    running.stop()
    folder = ["--data-dir", str(tmp_path / "data")]
    done = run("delete", 'cli{i="3"}', "--yes", "--json", *folder)
    assert json.loads(done.stdout) == {"series": 1, "samples": 1, "deleted": True}
    name = json.loads(run("snapshot", "--json", *folder).stdout)["name"]
    snapshot = ["--data-dir", str(tmp_path / "data" / "snapshots" / name)]
    assert "4 samples of 4 series" in run("delete", "cli", "--dry-run", *snapshot).stdout
    assert (tmp_path / "data" / "snapshots" / name / "records.sqlite").exists()
