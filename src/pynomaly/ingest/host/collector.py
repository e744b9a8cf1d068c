"""The collector that puts the parts together."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil
from prometheus_client import Counter
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from pynomaly.ingest.host import cpu, disk, filesystem, kernel, memory, network, portable
from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.host.sheet import Sheet
from pynomaly.observability import REGISTRY

log = logging.getLogger(__name__)

Part = Callable[[Sheet], None]

_FAILURES = Counter(
    "pynomaly_host_collector_failures",
    "Readings of a part of the host that failed; the log says why at the first.",
    ["collector"],
    registry=REGISTRY,
)


def linux_parts(
    settings: HostSection, proc: Path = Path("/proc"), sys_: Path = Path("/sys")
) -> dict[str, Part]:
    """What Linux tells, by node_exporter's names of collectors."""
    return {
        "cpu": cpu.CpuTimes(proc),
        "loadavg": cpu.load,
        "meminfo": memory.MemInfo(proc),
        "vmstat": memory.VmStat(proc),
        "pressure": memory.Pressure(proc),
        "diskstats": disk.DiskStats(proc, settings),
        "filesystem": filesystem.FileSystems(lambda: filesystem.linux_mounts(proc), settings),
        "netdev": network.NetDev(proc, settings),
        "netclass": network.NetClass(sys_, settings),
        "netstat": network.NetStat(proc),
        "sockstat": network.SockStat(proc, os.sysconf("SC_PAGESIZE")),
        "filefd": kernel.FileDescriptors(proc),
        "uname": kernel.Uname(proc),
        "time": kernel.system_time,
    }


def portable_parts(settings: HostSection) -> dict[str, Part]:
    """What psutil tells on any system; what it lacks is left out."""
    return {
        "cpu": portable.cpu,
        "loadavg": cpu.load,
        "meminfo": portable.memory,
        "diskstats": portable.Disks(settings),
        "filesystem": filesystem.FileSystems(filesystem.portable_mounts, settings),
        "netdev": portable.Networks(settings),
        "boottime": portable.boot_time,
        "uname": kernel.Uname(Path("/proc")),
        "time": kernel.system_time,
    }


class HostCollector(Collector):
    """A prometheus_client collector of the host's CPU, memory, disks, network and kernel.

    Blocking (it reads files): call it in a worker thread. A part that fails leaves its series
    out, says so as ``node_scrape_collector_success 0``, and does not touch the others.
    """

    def __init__(
        self, settings: HostSection | None = None, parts: Mapping[str, Part] | None = None
    ) -> None:
        if parts is None:
            build = linux_parts if sys.platform.startswith("linux") else portable_parts
            parts = build(settings or HostSection())
        self._parts = parts
        self._failing: set[str] = set()

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: the families depend on the host."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the host now."""
        sheet = Sheet()
        for name, part in self._parts.items():
            began = time.perf_counter()
            succeeded = self._read(name, part, sheet)
            took = time.perf_counter() - began
            sheet.gauge(
                "node_scrape_collector_duration_seconds",
                "Duration of a collector scrape.",
                took,
                collector=name,
            )
            sheet.gauge(
                "node_scrape_collector_success",
                "Whether a collector succeeded.",
                float(succeeded),
                collector=name,
            )
        return sheet.families()

    def _read(self, name: str, part: Part, sheet: Sheet) -> bool:
        try:
            part(sheet)
        except (OSError, ValueError, psutil.Error) as error:
            _FAILURES.labels(name).inc()
            if name not in self._failing:
                self._failing.add(name)
                log.warning("the host's %s cannot be read: %s", name, error)
            return False
        self._failing.discard(name)
        return True
