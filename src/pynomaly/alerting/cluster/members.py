"""From what was discovered to addresses, as Prometheus's ``AlertmanagerFromGroup``."""

from collections.abc import Iterable
from dataclasses import dataclass

from pynomaly.alerting.cluster.config import AlertmanagerBlock
from pynomaly.ingest.scrape.relabel import relabel
from pynomaly.ingest.scrape.targets import TargetGroup

_PATH = "__alerts_path__"
_ALERTS = "/api/v2/alerts"


@dataclass(frozen=True, slots=True)
class Discovered:
    """Addresses that take alerts; ``broken`` says what is no address."""

    active: tuple[str, ...]
    dropped: tuple[str, ...]
    broken: tuple[str, ...] = ()


def discovered(block: AlertmanagerBlock, groups: Iterable[TargetGroup]) -> Discovered:
    """Each address once, in order; ``dropped`` are those that relabelling drops."""
    active: dict[str, None] = {}
    dropped: dict[str, None] = {}
    broken: list[str] = []
    for group in groups:
        for target in group.targets:
            labels = {**target, "__scheme__": block.scheme, _PATH: _path(block.path_prefix)}
            labels |= {name: value for name, value in group.labels.items() if name not in target}
            before = _url(labels)
            if not relabel(block.relabel_configs, labels):
                dropped[before] = None
            elif fault := _fault(labels):
                broken.append(fault)
            else:
                active[_url(labels)] = None
    return Discovered(tuple(active), tuple(dropped), tuple(broken))


def _path(prefix: str) -> str:
    inner = prefix.strip("/")
    return f"/{inner}{_ALERTS}" if inner else _ALERTS


def _fault(labels: dict[str, str]) -> str:
    address = labels.get("__address__", "")
    if not address or "/" in address:
        return f"{address!r} is not the host:port of an Alertmanager"
    return ""


def _url(labels: dict[str, str]) -> str:
    scheme, address = labels.get("__scheme__", "http"), labels.get("__address__", "")
    return f"{scheme}://{address}{labels.get(_PATH, _ALERTS)}"


def base_of(url: str) -> str:
    """Where an Alertmanager's pages and its API are: its address without ``/api/v2/alerts``."""
    return url.removesuffix(_ALERTS)
