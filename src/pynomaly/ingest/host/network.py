"""Network: interfaces, protocols and sockets."""

import os
import re
from pathlib import Path

from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.host.sheet import Sheet

_RECEIVE = ("bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast")
_TRANSMIT = ("bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed")


class NetDev:
    """The counters of each interface: ``/proc/net/dev``."""

    def __init__(self, proc: Path, settings: HostSection) -> None:
        self._path = proc / "net" / "dev"
        self._exclude = re.compile(settings.networks_exclude)

    def __call__(self, sheet: Sheet) -> None:
        """Write down every interface that is not excluded."""
        for line in self._path.read_text().splitlines()[2:]:
            device, _, rest = line.rpartition(":")
            device, values = device.strip(), rest.split()
            if self._exclude.search(device):
                continue
            for way, fields, part in (
                ("receive", _RECEIVE, values[:8]),
                ("transmit", _TRANSMIT, values[8:]),
            ):
                for field, value in zip(fields, part, strict=True):
                    name = f"node_network_{way}_{field}_total"
                    meaning = f"Network device statistic {way}_{field}."
                    sheet.counter(name, meaning, float(value), device=device)


class NetClass:
    """State, speed and MTU of each interface: ``/sys/class/net``."""

    def __init__(self, sys: Path, settings: HostSection) -> None:
        self._dir = sys / "class" / "net"
        self._exclude = re.compile(settings.networks_exclude)

    def __call__(self, sheet: Sheet) -> None:
        """Write down every interface that is not excluded."""
        for device in sorted(link.name for link in self._dir.iterdir()):
            state = _attribute(f"{self._dir}/{device}/operstate")
            if state is None or self._exclude.search(device):
                continue
            up = float(state == "up")
            sheet.gauge("node_network_up", "Value is 1 if operstate is 'up'.", up, device=device)
            if mtu := _attribute(f"{self._dir}/{device}/mtu"):
                meaning = "Network device property mtu_bytes."
                sheet.gauge("node_network_mtu_bytes", meaning, float(mtu), device=device)
            if speed := _attribute(f"{self._dir}/{device}/speed"):
                meaning = "Network device property speed_bytes."
                value = float(speed) * 125_000  # the kernel says Mbit/s
                sheet.gauge("node_network_speed_bytes", meaning, value, device=device)


def _attribute(path: str) -> str | None:
    # Plain system calls: pathlib and buffered files cost three times as much here.
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(descriptor, 64).decode().strip()
    except OSError:  # the kernel's way to say that this kind of interface has no such attribute
        return None
    finally:
        os.close(descriptor)


class NetStat:
    """The protocol counters that node_exporter picks from netstat, snmp and snmp6."""

    _PICKED = re.compile(
        r"^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)"
        r"|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts)"
        r"|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
        r"|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
    )

    def __init__(self, proc: Path) -> None:
        self._net = proc / "net"
        self._picked: dict[str, bool] = {}

    def __call__(self, sheet: Sheet) -> None:
        """Write down the counters."""
        for file in ("netstat", "snmp"):
            lines = (self._net / file).read_text().splitlines()
            for heads, values in zip(lines[::2], lines[1::2], strict=True):
                protocol, *names = heads.split()
                for name, value in zip(names, values.split()[1:], strict=False):
                    self._write(sheet, f"{protocol[:-1]}_{name}", value)
        snmp6 = self._net / "snmp6"
        if snmp6.exists():
            for line in snmp6.read_text().splitlines():
                name, value = line.split()
                self._write(sheet, name.replace("6", "6_", 1), value)

    def _write(self, sheet: Sheet, key: str, value: str) -> None:
        wanted = self._picked.get(key)
        if wanted is None:
            wanted = self._picked[key] = bool(self._PICKED.match(key))
        if wanted:
            sheet.untyped(f"node_netstat_{key}", f"Statistic {key}.", float(value))


class SockStat:
    """How many sockets are in use: ``/proc/net/sockstat``."""

    def __init__(self, proc: Path, page_size: int) -> None:
        self._path = proc / "net" / "sockstat"
        self._page = page_size

    def __call__(self, sheet: Sheet) -> None:
        """Write down the counts; memory in pages and in bytes, as node_exporter does."""
        for line in self._path.read_text().splitlines():
            protocol, _, rest = line.partition(":")
            words = rest.split()
            for name, value in zip(words[::2], words[1::2], strict=True):
                self._write(sheet, protocol, name, float(value))

    def _write(self, sheet: Sheet, protocol: str, name: str, value: float) -> None:
        full = f"node_sockstat_{protocol}_{name}"
        meaning = f"Number of {protocol} sockets in state {name}."
        sheet.gauge(full, meaning, value)
        if name == "mem":
            meaning = f"Memory of {protocol} sockets in bytes."
            sheet.gauge(f"{full}_bytes", meaning, value * self._page)
