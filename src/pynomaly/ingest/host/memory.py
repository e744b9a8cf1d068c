"""Memory, paging and pressure: ``/proc/meminfo``, ``/proc/vmstat``, ``/proc/pressure``."""

import re
from pathlib import Path

from pynomaly.ingest.host.sheet import Sheet

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


class MemInfo:
    """Everything in ``/proc/meminfo``, in bytes."""

    def __init__(self, proc: Path) -> None:
        self._path = proc / "meminfo"
        self._names: dict[str, tuple[str, float]] = {}

    def __call__(self, sheet: Sheet) -> None:
        """Write down what ``/proc/meminfo`` says."""
        for line in self._path.read_text().splitlines():
            key, _, rest = line.partition(":")
            value, _, unit = rest.strip().partition(" ")
            name, factor = self._names.get(key) or self._learn(key, unit)
            sheet.gauge(name, f"Memory information field {key}.", int(value) * factor)

    def _learn(self, key: str, unit: str) -> tuple[str, float]:
        base = _NOT_IN_NAMES.sub("_", key.replace("(", "_").replace(")", ""))
        found = (f"node_memory_{base}_bytes", 1024.0) if unit else (f"node_memory_{base}", 1.0)
        self._names[key] = found
        return found


class VmStat:
    """The paging counters that node_exporter picks from ``/proc/vmstat``."""

    _PICKED = re.compile(r"^(?:oom_kill|pgpg(?:in|out)|pswp(?:in|out)|pg(?:maj)?fault) .*", re.M)

    def __init__(self, proc: Path) -> None:
        self._path = proc / "vmstat"

    def __call__(self, sheet: Sheet) -> None:
        """Write down the counters."""
        for line in self._PICKED.findall(self._path.read_text()):
            key, value = line.split(" ")
            name = f"node_vmstat_{key}"
            sheet.untyped(name, f"/proc/vmstat information field {key}.", float(value))


class Pressure:
    """How long tasks waited for CPU, memory and I/O (PSI; Linux 4.20 and later)."""

    def __init__(self, proc: Path) -> None:
        self._dir = proc / "pressure"

    def __call__(self, sheet: Sheet) -> None:
        """Write down the total waiting ("some") and stalled ("full") seconds."""
        for resource in ("cpu", "io", "memory"):
            for line in (self._dir / resource).read_text().splitlines():
                kind, _, rest = line.partition(" ")
                if resource == "cpu" and kind == "full":  # has no meaning for the whole system
                    continue
                word = "waiting" if kind == "some" else "stalled"
                sheet.counter(
                    f"node_pressure_{resource}_{word}_seconds_total",
                    f"Total time in seconds that processes have {word} for {resource}.",
                    int(rest.rpartition("total=")[2]) / 1e6,
                )
