"""Block devices: ``/proc/diskstats``."""

import re
from collections.abc import Sequence
from pathlib import Path

from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.host.sheet import Sheet

_SECTOR = 512.0  # the kernel counts in these whatever the device's own size is
_MS = 0.001

# The fields after the device's name, in the kernel's order
# (Documentation/admin-guide/iostats.rst), with the factor to the base unit.
_FIELDS: Sequence[tuple[str, float, str]] = (
    ("reads_completed_total", 1, "The total number of reads completed successfully."),
    ("reads_merged_total", 1, "The total number of reads merged."),
    ("read_bytes_total", _SECTOR, "The total number of bytes read successfully."),
    ("read_time_seconds_total", _MS, "The total number of seconds spent by all reads."),
    ("writes_completed_total", 1, "The total number of writes completed successfully."),
    ("writes_merged_total", 1, "The number of writes merged."),
    ("written_bytes_total", _SECTOR, "The total number of bytes written successfully."),
    ("write_time_seconds_total", _MS, "The total number of seconds spent by all writes."),
    ("io_now", 1, "The number of I/Os currently in progress."),
    ("io_time_seconds_total", _MS, "Total seconds spent doing I/Os."),
    ("io_time_weighted_seconds_total", _MS, "The weighted number of seconds spent doing I/Os."),
    ("discards_completed_total", 1, "The total number of discards completed successfully."),
    ("discards_merged_total", 1, "The total number of discards merged."),
    ("discarded_sectors_total", 1, "The total number of sectors discarded successfully."),
    ("discard_time_seconds_total", _MS, "The total number of seconds spent by all discards."),
    ("flush_requests_total", 1, "The total number of flush requests completed successfully."),
    ("flush_requests_time_seconds_total", _MS, "The total seconds spent by all flush requests."),
)


class DiskStats:
    """Reads and writes of each device; older kernels have fewer fields."""

    def __init__(self, proc: Path, settings: HostSection) -> None:
        self._path = proc / "diskstats"
        self._exclude = re.compile(settings.disks_exclude)

    def __call__(self, sheet: Sheet) -> None:
        """Write down every device that is not excluded."""
        for line in self._path.read_text().splitlines():
            _, _, device, *values = line.split()
            if self._exclude.search(device):
                continue
            for (suffix, factor, meaning), value in zip(_FIELDS, values, strict=False):
                write = sheet.counter if suffix.endswith("_total") else sheet.gauge
                write(f"node_disk_{suffix}", meaning, int(value) * factor, device=device)
