"""CPU time, interrupts, processes and load: ``/proc/stat`` and ``/proc/loadavg``."""

import os
from pathlib import Path

from pynomaly.ingest.host.sheet import Sheet

_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_MEANING = "Seconds the CPUs spent in each mode."
_JUMP_BACK = 3.0  # seconds; node_exporter takes more than this for a CPU that was plugged in again


class CpuTimes:
    """Reads ``/proc/stat``; keeps the last values, since the kernel's idle time can step back."""

    def __init__(self, proc: Path) -> None:
        self._stat = proc / "stat"
        self._tick = 1 / os.sysconf("SC_CLK_TCK")
        self._last: dict[tuple[str, str], float] = {}

    def __call__(self, sheet: Sheet) -> None:
        """Write down what ``/proc/stat`` says."""
        for line in self._stat.read_text().splitlines():
            key, _, rest = line.partition(" ")
            if key.startswith("cpu") and key != "cpu":
                self._one_cpu(sheet, key[3:], rest.split())
            elif name := _TOTALS.get(key):
                sheet.counter(name[0], name[1], float(rest.split(" ", 1)[0]))
            elif gauge := _GAUGES.get(key):
                sheet.gauge(gauge[0], gauge[1], float(rest))

    def _one_cpu(self, sheet: Sheet, cpu: str, ticks: list[str]) -> None:
        for mode, value in zip(_MODES, ticks, strict=False):
            seconds = self._forward(cpu, mode, int(value) * self._tick)
            sheet.counter("node_cpu_seconds_total", _MEANING, seconds, cpu=cpu, mode=mode)
        for mode, value in zip(("user", "nice"), ticks[8:10], strict=False):
            meaning = "Seconds the CPUs spent in guests (VMs) for each mode."
            seconds = int(value) * self._tick
            sheet.counter("node_cpu_guest_seconds_total", meaning, seconds, cpu=cpu, mode=mode)

    def _forward(self, cpu: str, mode: str, seconds: float) -> float:
        last = self._last.get((cpu, mode), 0.0)
        if last - _JUMP_BACK < seconds < last:
            return last
        self._last[cpu, mode] = seconds
        return seconds


_TOTALS = {
    "intr": ("node_intr_total", "Total number of interrupts serviced."),
    "ctxt": ("node_context_switches_total", "Total number of context switches."),
    "processes": ("node_forks_total", "Total number of forks."),
}
_GAUGES = {
    "btime": ("node_boot_time_seconds", "Node boot time, in unixtime."),
    "procs_running": ("node_procs_running", "Number of processes in runnable state."),
    "procs_blocked": (
        "node_procs_blocked",
        "Number of processes blocked waiting for I/O to complete.",
    ),
}


def load(sheet: Sheet) -> None:
    """The load averages over 1, 5 and 15 minutes."""
    for minutes, value in zip((1, 5, 15), os.getloadavg(), strict=True):
        sheet.gauge(f"node_load{minutes}", f"{minutes}m load average.", value)
