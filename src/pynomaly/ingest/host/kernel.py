"""The machine itself: name, time, file descriptors."""

import os
import time
from pathlib import Path

from pynomaly.ingest.host.sheet import Sheet


class FileDescriptors:
    """Open and possible file descriptors of the whole system."""

    def __init__(self, proc: Path) -> None:
        self._path = proc / "sys" / "fs" / "file-nr"

    def __call__(self, sheet: Sheet) -> None:
        """Write down both."""
        allocated, _, maximum = self._path.read_text().split()
        meaning = "File descriptor statistics: {}."
        sheet.gauge("node_filefd_allocated", meaning.format("allocated"), float(allocated))
        sheet.gauge("node_filefd_maximum", meaning.format("maximum"), float(maximum))


class Uname:
    """The system's name and version; ``domainname`` only where ``/proc`` tells it."""

    def __init__(self, proc: Path) -> None:
        self._domain = proc / "sys" / "kernel" / "domainname"

    def __call__(self, sheet: Sheet) -> None:
        """Write down one series with the value 1."""
        name = os.uname()
        sheet.gauge(
            "node_uname_info",
            "Labeled system information as provided by the uname system call.",
            1.0,
            sysname=name.sysname,
            release=name.release,
            version=name.version,
            machine=name.machine,
            nodename=name.nodename,
            domainname=self._domain.read_text().strip() if self._domain.exists() else "(none)",
        )


def system_time(sheet: Sheet) -> None:
    """The host's own clock: it is what is measured, so it is read here and not passed in."""
    sheet.gauge("node_time_seconds", "System time in seconds since epoch (1970).", time.time())
