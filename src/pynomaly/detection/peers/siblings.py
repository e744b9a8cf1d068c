"""Which series are siblings: those that differ in nothing but which pod or host they are of."""

from collections.abc import Sequence

from pynomaly.model.labels import Labels

INSTANCE_LIKE = (
    "pod",
    "pod_name",
    "replica",
    "task",
    "task_id",
    "container_id",
    "instance",
    "host",
    "hostname",
    "node",
    "nodename",
    "machine",
    "ip",
    "pod_ip",
    "uid",
    "pod_uid",
    "id",
)
"""Labels that tell which of many alike it is, the most telling first."""

_HOSTS = frozenset({"instance", "host", "hostname", "node", "nodename", "machine"})
_LEAST_LENGTH = 5
"""Shorter values are found inside of others by chance."""

Key = tuple[str, str]


def kin(labels: Labels, by: Sequence[str] = INSTANCE_LIKE) -> Labels | None:
    """The labels that all siblings of a series have in common, its name included.

    None when it has none of the labels ``by``. A label whose value contains the value of one of
    them, as the name of a container contains that of its pod, differs between siblings as well.

    >>> str(kin(Labels({"__name__": "up", "job": "shop", "instance": "a:80"})))
    'up{job="shop"}'
    """
    mine = [labels[name] for name in by if name in labels]
    if not mine:
        return None
    telling = [value for value in mine if len(value) >= _LEAST_LENGTH]
    return Labels.from_sorted(
        tuple(
            (name, value)
            for name, value in labels.pairs
            if name not in by and not any(part in value for part in telling)
        )
    )


def which(labels: Labels, by: Sequence[str] = INSTANCE_LIKE) -> str:
    """What tells a series from its siblings, such as ``pod=shop-2``; empty when nothing does."""
    return next((f"{name}={labels[name]}" for name in by if name in labels), "")


def places(labels: Labels, by: Sequence[str] = INSTANCE_LIKE) -> set[Key]:
    """Where a series is from: its pod, its host. Ports of hosts are left out."""
    found = set()
    for name in by:
        if name in labels:
            value = labels[name]
            host = name in _HOSTS
            found.add(("host", value.rsplit(":", 1)[0]) if host else (name, value))
    return found
