"""The metrics of our own process, under the names that every Prometheus client uses."""

import sys
from collections.abc import Iterable

import psutil
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry


class PsutilProcessCollector(Collector):
    """What ``ProcessCollector`` says where there is no ``/proc``."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def collect(self) -> Iterable[Metric]:
        """Read the process now."""
        with self._process.oneshot():
            memory, cpu = self._process.memory_info(), self._process.cpu_times()
            start, files = self._process.create_time(), self._process.num_fds()
        yield CounterMetricFamily(
            "process_cpu_seconds", "User and system CPU seconds.", value=cpu.user + cpu.system
        )
        for name, meaning, value in (
            ("process_resident_memory_bytes", "Resident memory size in bytes.", memory.rss),
            ("process_virtual_memory_bytes", "Virtual memory size in bytes.", memory.vms),
            ("process_start_time_seconds", "Start time since the epoch in seconds.", start),
            ("process_open_fds", "Number of open file descriptors.", files),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)


def register_process_metrics(registry: CollectorRegistry) -> list[Collector]:
    """Add process, interpreter and garbage collector metrics; returns what to unregister.

    Raises:
        ValueError: the registry has them already.
    """
    if sys.platform.startswith("linux"):
        process: Collector = ProcessCollector(registry=registry)
    else:
        process = PsutilProcessCollector()
        registry.register(process)
    return [process, PlatformCollector(registry=registry), GCCollector(registry=registry)]
