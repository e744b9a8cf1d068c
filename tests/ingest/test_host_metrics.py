"""The host's metrics beside the real node_exporter on the same machine."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from pynomaly.ingest.host import HostCollector
from pynomaly.ingest.host.collector import portable_parts
from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.host.cpu import CpuTimes
from pynomaly.ingest.host.filesystem import FileSystems, Mount, linux_mounts
from pynomaly.ingest.host.network import NetDev
from pynomaly.ingest.host.process import PsutilProcessCollector, register_process_metrics
from pynomaly.ingest.host.sheet import Sheet

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

# Values that say how things are at an instant: two readings moments apart need not agree.
_FLEETING = ("node_procs_", "node_disk_io_now", "node_netstat_Tcp_CurrEstab", "node_sockstat_")
_OURS = ("node_scrape_collector_",)


def series_of(families: Iterator[Metric]) -> Series:
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in families
        for s in family.samples
    }


@pytest.fixture
def node_exporter(
    program: Callable[[str], str], free_port: Callable[[], int]
) -> Iterator[Callable[[], Series]]:
    address = f"127.0.0.1:{free_port()}"
    settings = HostSection()
    process = subprocess.Popen(
        [
            program("node-exporter"),
            f"--web.listen-address={address}",
            f"--collector.filesystem.mount-points-exclude={settings.mount_points_exclude}",
            f"--collector.filesystem.fs-types-exclude={settings.filesystem_types_exclude}",
            f"--collector.diskstats.device-exclude={settings.disks_exclude}",
            "--collector.netdev.device-exclude=^$",
        ],
        stderr=subprocess.DEVNULL,
    )

    def scrape() -> Series:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                    return series_of(text_string_to_metric_families(answer.read().decode()))
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, "node_exporter did not start"
                time.sleep(0.05)

    yield scrape
    process.terminate()
    process.wait()


def slack(name: str, total_memory: float) -> float:
    if name.startswith("node_memory_"):
        return total_memory * 0.1
    if name.startswith("node_filesystem_"):
        return 2e9
    return {"node_time_seconds": 5.0, "node_filefd_allocated": 20_000.0}.get(name, 1.0)


def disagreements(before: Series, theirs: Series, after: Series) -> list[str]:
    total = next(v for (name, _), v in before.items() if name == "node_memory_MemTotal_bytes")
    faults = []
    for key in before.keys() & after.keys():
        name = key[0]
        if name.startswith(_OURS):
            continue
        if key not in theirs:
            faults.append(f"node_exporter has no {key}")
        elif not name.startswith(_FLEETING):
            allowed = slack(name, total)
            low, high = sorted((before[key], after[key]))
            if not low - allowed <= theirs[key] <= high + allowed:
                faults.append(f"{key}: {low}..{high} here, {theirs[key]} there")
    return faults


@linux
@pytest.mark.needs("node-exporter")
def test_every_series_exists_in_node_exporter_with_the_same_value(
    node_exporter: Callable[[], Series],
) -> None:
    node_exporter()
    collector = HostCollector()
    before = series_of(iter(collector.collect()))
    theirs = node_exporter()
    after = series_of(iter(collector.collect()))
    assert disagreements(before, theirs, after) == []
    assert len(before) > 100


@linux
@pytest.mark.needs("node-exporter")
def test_nothing_of_node_exporters_cpu_disk_and_memory_is_missing(
    node_exporter: Callable[[], Series],
) -> None:
    theirs = node_exporter()
    ours = series_of(iter(HostCollector().collect()))
    wanted = ("node_cpu_s", "node_disk_", "node_filesystem_", "node_load", "node_memory_")
    missing = {k for k in theirs if k[0].startswith(wanted) and k[0] != "node_disk_info"} - set(
        ours
    )
    assert missing == set()


@linux
@pytest.mark.needs("node-exporter")
def test_what_psutil_tells_agrees_where_node_exporter_has_it(
    node_exporter: Callable[[], Series],
) -> None:
    collector = HostCollector(parts=portable_parts(HostSection()))
    before = series_of(iter(collector.collect()))
    theirs = node_exporter()
    after = series_of(iter(collector.collect()))
    shared = {k: v for k, v in before.items() if k in theirs}
    names = {name for name, _ in shared}
    assert disagreements(shared, theirs, after) == []
    assert {
        "node_cpu_seconds_total",
        "node_memory_MemAvailable_bytes",
        "node_disk_read_bytes_total",
        "node_network_receive_bytes_total",
        "node_filesystem_avail_bytes",
        "node_boot_time_seconds",
    } <= names


def test_a_part_that_fails_is_said_and_leaves_the_others() -> None:
    def broken(_: Sheet) -> None:
        raise OSError("no such disk")

    def fine(sheet: Sheet) -> None:
        sheet.gauge("node_load1", "1m load average.", 0.5)

    series = series_of(iter(HostCollector(parts={"disk": broken, "load": fine}).collect()))
    assert series["node_load1", frozenset()] == 0.5
    name = "node_scrape_collector_success"
    assert series[name, frozenset({("collector", "disk")})] == 0
    assert series[name, frozenset({("collector", "load")})] == 1


def test_idle_time_that_steps_back_a_little_stays_and_a_restarted_cpu_starts_over(
    tmp_path: Path,
) -> None:
    def idle(ticks: int) -> float:
        (tmp_path / "stat").write_text(f"cpu0 1 2 3 {ticks} 5 6 7 8 9 10\n")
        sheet = Sheet()
        cpu(sheet)
        series = series_of(iter(sheet.families()))
        return series["node_cpu_seconds_total", frozenset({("cpu", "0"), ("mode", "idle")})]

    cpu = CpuTimes(tmp_path)
    first = idle(100_000)
    assert idle(99_990) == first
    assert idle(100_100) > first
    assert idle(10) < 1


def test_a_mount_point_with_a_blank_is_unescaped(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mounts").write_text("/dev/sdb1 /my\\040disk ext4 ro,noatime 0 0\n")
    assert linux_mounts(tmp_path) == [Mount("/dev/sdb1", "/my disk", "ext4", read_only=True)]


def test_a_filesystem_that_cannot_be_asked_is_an_error_and_not_zero_bytes(tmp_path: Path) -> None:
    gone = Mount("server:/x", str(tmp_path / "gone"), "nfs4", read_only=False)
    sheet = Sheet()
    FileSystems(lambda: [gone], HostSection())(sheet)
    names = {name: value for (name, _), value in series_of(iter(sheet.families())).items()}
    assert names == {"node_filesystem_device_error": 1.0}


def test_excluded_networks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    counts = " ".join(["1"] * 16)
    (tmp_path / "net" / "dev").write_text(f"h\nh\n  lo:{counts}\nveth1: {counts}\n")
    sheet = Sheet()
    NetDev(tmp_path, HostSection(networks_exclude="^veth"))(sheet)
    devices = {dict(labels)["device"] for _, labels in series_of(iter(sheet.families()))}
    assert devices == {"lo"}


def test_the_process_says_its_memory_and_cpu_with_and_without_proc() -> None:
    registry = CollectorRegistry()
    register_process_metrics(registry)
    with_proc = {s.name: s.value for f in registry.collect() for s in f.samples}
    without = {s.name: s.value for f in PsutilProcessCollector().collect() for s in f.samples}
    assert without["process_resident_memory_bytes"] > 1e6
    assert without["process_cpu_seconds_total"] > 0
    assert "python_info" in with_proc
    if sys.platform.startswith("linux"):
        assert set(without) <= set(with_proc)
        started = with_proc["process_start_time_seconds"]
        assert without["process_start_time_seconds"] == pytest.approx(started, abs=1)
