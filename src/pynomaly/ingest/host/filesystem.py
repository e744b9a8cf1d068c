"""File systems: what is mounted, and how much of it is left."""

import os
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.host.sheet import Sheet

_REMOTE = re.compile(r"^(nfs4?|cifs|smb\w*|9p|ceph|glusterfs|lustre|afs|fuse\..+|webdav|davfs)$")
_PATIENCE = 1.0  # seconds to wait for a file system whose server may be away
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the table of mounts."""

    device: str
    point: str
    fstype: str
    read_only: bool


def linux_mounts(proc: Path) -> list[Mount]:
    """The mounts that this process sees; ``/proc/mounts`` escapes blanks as octal numbers."""
    lines = (proc / "self" / "mounts").read_text().splitlines()
    return [
        Mount(_unescape(device), _unescape(point), fstype, "ro" in options.split(","))
        for device, point, fstype, options, *_ in (line.split(" ") for line in lines)
    ]


def portable_mounts() -> list[Mount]:
    """The mounts, by psutil."""
    return [
        Mount(p.device, p.mountpoint, p.fstype, "ro" in p.opts.split(","))
        for p in psutil.disk_partitions(all=True)
    ]


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 8)), text) if "\\" in text else text


class FileSystems:
    """Size and free space of each file system.

    A remote one whose server does not answer would hang whoever asks: those are asked in a
    thread of their own, given up after a second, and not asked again until it returns.
    """

    def __init__(self, mounts: Callable[[], Iterable[Mount]], settings: HostSection) -> None:
        self._mounts = mounts
        self._points = re.compile(settings.mount_points_exclude)
        self._types = re.compile(settings.filesystem_types_exclude)
        self._stuck: dict[str, threading.Thread] = {}

    def __call__(self, sheet: Sheet) -> None:
        """Write down every file system that is not excluded; a mount point counts once."""
        seen: set[tuple[str, str]] = set()
        for mount in self._mounts():
            key = (mount.device, mount.point)
            if key not in seen and not self._excluded(mount):
                seen.add(key)
                self._write(sheet, mount)

    def _excluded(self, mount: Mount) -> bool:
        return bool(self._points.search(mount.point) or self._types.search(mount.fstype))

    def _write(self, sheet: Sheet, mount: Mount) -> None:
        labels = {"device": mount.device, "mountpoint": mount.point, "fstype": mount.fstype}
        found = self._ask(mount)
        meaning = "Whether an error occurred while getting statistics for the given device."
        sheet.gauge("node_filesystem_device_error", meaning, float(found is None), **labels)
        if found is None:
            return
        block = found.f_frsize
        for suffix, meaning, value in (
            ("readonly", "Filesystem read-only status.", float(mount.read_only)),
            ("size_bytes", "Filesystem size in bytes.", found.f_blocks * block),
            ("free_bytes", "Filesystem free space in bytes.", found.f_bfree * block),
            ("avail_bytes", "Space available to non-root users in bytes.", found.f_bavail * block),
            ("files", "Filesystem total file nodes.", found.f_files),
            ("files_free", "Filesystem total free file nodes.", found.f_ffree),
        ):
            sheet.gauge(f"node_filesystem_{suffix}", meaning, float(value), **labels)

    def _ask(self, mount: Mount) -> os.statvfs_result | None:
        if not _REMOTE.match(mount.fstype):
            return _statvfs(mount.point)
        if (stuck := self._stuck.get(mount.point)) and stuck.is_alive():
            return None
        answer: list[os.statvfs_result | None] = []
        asker = threading.Thread(target=lambda: answer.append(_statvfs(mount.point)), daemon=True)
        asker.start()
        asker.join(_PATIENCE)
        self._stuck[mount.point] = asker
        return answer[0] if answer else None


def _statvfs(point: str) -> os.statvfs_result | None:
    try:
        return os.statvfs(point)
    except OSError:  # unmounted meanwhile, or not ours to look at: shown as device_error
        return None
