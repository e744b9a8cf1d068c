"""What must hold across the sections of ``alertmanager.yml``."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig, RouteConfig
from pynomaly.model.document import Path


class Fault(NamedTuple):
    """What is wrong, and at which keys and indices of the document."""

    place: Path
    message: str


def faults(config: AlertmanagerConfig) -> Iterator[Fault]:
    """Everything for which Alertmanager would refuse the configuration."""
    yield from _root(config.route)
    yield from _receivers(config)
    yield from _intervals(config)


def _root(route: RouteConfig) -> Iterator[Fault]:
    if not route.receiver:
        yield Fault(("route",), "route: the root needs a receiver, for alerts no other route takes")
    for key in ("match", "match_re", "matchers"):
        if getattr(route, key):
            yield Fault(("route", key), f"route.{key}: the root takes every alert; put it below")
    for key in ("mute_time_intervals", "active_time_intervals"):
        if getattr(route, key):
            yield Fault(("route", key), f"route.{key}: the root cannot be muted; put it below")
    if route.continue_:
        yield Fault(("route", "continue"), "route.continue: nothing comes after the root")


def _receivers(config: AlertmanagerConfig) -> Iterator[Fault]:
    names = [receiver.name for receiver in config.receivers]
    for index in _repeated(names):
        taken = ("receivers", index, "name")
        yield Fault(taken, f"receivers.{index}.name: the name {names[index]!r} is taken already")
    for place, route in config.walk():
        if route.receiver and route.receiver not in names:
            yield Fault(
                (*place, "receiver"),
                f"{dotted(place)}.receiver: no receiver is called {route.receiver!r}; "
                + _remedy(route.receiver, names, "receivers", f"  - name: {route.receiver}"),
            )
    for index, receiver in enumerate(config.receivers):
        label = receiver.labels.get("name", receiver.name)
        if label != receiver.name:
            yield Fault(
                ("receivers", index, "labels", "name"),
                f"receivers.{index}.labels.name: it is {label!r}, which must be the receiver's "
                f"name, {receiver.name!r}",
            )


def _intervals(config: AlertmanagerConfig) -> Iterator[Fault]:
    places: list[Path] = [
        ("mute_time_intervals", i) for i in range(len(config.mute_time_intervals))
    ]
    places += [("time_intervals", i) for i in range(len(config.time_intervals))]
    names = [i.name for i in (*config.mute_time_intervals, *config.time_intervals)]
    for index in _repeated(names):
        place = (*places[index], "name")
        yield Fault(place, f"{dotted(place)}: the name {names[index]!r} is taken already")
    for place, route in config.walk():
        for key in ("mute_time_intervals", "active_time_intervals"):
            for index, name in enumerate(getattr(route, key)):
                if name not in names:
                    yield Fault(
                        (*place, key, index),
                        f"{dotted(place)}.{key}: no time interval is called {name!r}; "
                        + _remedy(name, names, "time_intervals", f"  - name: {name}"),
                    )


def _repeated(names: Sequence[str]) -> Iterator[int]:
    """The indices of names that come again."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index
        seen.add(name)


def _remedy(name: str, known: Iterable[str], section: str, entry: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"add one under `{section}`: `{entry.strip()}`"


def dotted(place: Path) -> str:
    """A place as text: ``route.routes.0.receiver``."""
    return ".".join(str(part) for part in place)
