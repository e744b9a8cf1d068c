"""The host by psutil: for systems without ``/proc``, macOS first of all."""

import re

import psutil

from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.host.sheet import Sheet


def cpu(sheet: Sheet) -> None:
    """CPU seconds by mode."""
    for number, times in enumerate(psutil.cpu_times(percpu=True)):
        for mode, seconds in times._asdict().items():
            if not mode.startswith("guest"):
                meaning = "Seconds the CPUs spent in each mode."
                cpu = str(number)
                sheet.counter("node_cpu_seconds_total", meaning, seconds, cpu=cpu, mode=mode)


def memory(sheet: Sheet) -> None:
    """Memory and swap, under the names of Linux (dashboards) and of macOS (node_exporter there)."""
    main, swap = psutil.virtual_memory(), psutil.swap_memory()
    for name, value in (
        ("MemTotal", main.total),
        ("MemFree", main.free),
        ("MemAvailable", main.available),
        ("SwapTotal", swap.total),
        ("SwapFree", swap.free),
        ("total", main.total),
        ("free", main.free),
        ("swap_total", swap.total),
        ("swap_used", swap.used),
        *((kind, getattr(main, kind, None)) for kind in ("active", "inactive", "wired")),
    ):
        if value is not None:
            meaning = f"Memory information field {name}."
            sheet.gauge(f"node_memory_{name}_bytes", meaning, float(value))


class Disks:
    """Reads and writes of each device."""

    def __init__(self, settings: HostSection) -> None:
        self._exclude = re.compile(settings.disks_exclude)

    def __call__(self, sheet: Sheet) -> None:
        """Write down every device that is not excluded."""
        for device, io in psutil.disk_io_counters(perdisk=True).items():
            if self._exclude.search(device):
                continue
            for suffix, value, unit in (
                ("reads_completed", io.read_count, "reads"),
                ("writes_completed", io.write_count, "writes"),
                ("read_bytes", io.read_bytes, "bytes read"),
                ("written_bytes", io.write_bytes, "bytes written"),
                ("read_time_seconds", io.read_time / 1000, "seconds spent by reads"),
                ("write_time_seconds", io.write_time / 1000, "seconds spent by writes"),
            ):
                name = f"node_disk_{suffix}_total"
                sheet.counter(name, f"The total number of {unit}.", float(value), device=device)


class Networks:
    """The counters of each interface."""

    def __init__(self, settings: HostSection) -> None:
        self._exclude = re.compile(settings.networks_exclude)

    def __call__(self, sheet: Sheet) -> None:
        """Write down every interface that is not excluded."""
        for device, io in psutil.net_io_counters(pernic=True).items():
            if self._exclude.search(device):
                continue
            for way, field, value in (
                ("receive", "bytes", io.bytes_recv),
                ("receive", "packets", io.packets_recv),
                ("receive", "errs", io.errin),
                ("receive", "drop", io.dropin),
                ("transmit", "bytes", io.bytes_sent),
                ("transmit", "packets", io.packets_sent),
                ("transmit", "errs", io.errout),
                ("transmit", "drop", io.dropout),
            ):
                name = f"node_network_{way}_{field}_total"
                meaning = f"Network device statistic {way}_{field}."
                sheet.counter(name, meaning, float(value), device=device)


def boot_time(sheet: Sheet) -> None:
    """When the host started."""
    sheet.gauge("node_boot_time_seconds", "Node boot time, in unixtime.", psutil.boot_time())
