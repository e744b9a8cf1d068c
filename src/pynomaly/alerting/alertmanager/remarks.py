"""What an author of ``alertmanager.yml`` should know, though the file can be used."""

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pynomaly.alerting.alertmanager.checks import Fault, dotted
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig, RouteConfig
from pynomaly.alerting.alertmanager.matchers import outdated
from pynomaly.alerting.alertmanager.templates import load_templates
from pynomaly.alerting.alertmanager.trial import failing_texts
from pynomaly.model.document import Path as DocumentPath
from pynomaly.model.document import Section

_LISTS_OF_MATCHERS = ("matchers", "source_matchers", "target_matchers")
_IGNORED = ("tracing", "event_recorder")


def remarks(config: AlertmanagerConfig, document: Mapping[Any, Any]) -> Iterator[Fault]:
    """What is probably not as it was meant. ``document``: the file as YAML has it."""
    yield from _unreached(config)
    yield from _unused(config)
    yield from _classic_only((), document)
    yield from _absent_files(config)
    for place, reason in failing_texts(config, load_templates(config)):
        yield Fault(place, f"{dotted(place)}: it fails with an example: {reason}")
    for key in _IGNORED:
        if getattr(config, key):
            yield Fault((key,), f"{key}: it has no effect here")


def _unreached(config: AlertmanagerConfig) -> Iterator[Fault]:
    for place, route in config.walk():
        taken_by: int | None = None
        for index, child in enumerate(route.routes):
            if taken_by is not None:
                where = (*place, "routes", index)
                yield Fault(
                    where,
                    f"{dotted(where)}: no alert gets here; the route {taken_by} before it takes "
                    "every alert, and does not continue",
                )
            elif _takes_all(child):
                taken_by = index


def _takes_all(route: RouteConfig) -> bool:
    return not (route.match or route.match_re or route.matchers or route.continue_)


def _unused(config: AlertmanagerConfig) -> Iterator[Fault]:
    routes = [route for _, route in config.walk()]
    receivers = {route.receiver for route in routes}
    for index, receiver in enumerate(config.receivers):
        if receiver.name not in receivers:
            yield Fault(
                ("receivers", index, "name"),
                f"receivers.{index}: no route goes to {receiver.name!r}",
            )
    names = {name for r in routes for name in (*r.mute_time_intervals, *r.active_time_intervals)}
    for key in ("mute_time_intervals", "time_intervals"):
        for index, interval in enumerate(getattr(config, key)):
            if interval.name not in names:
                yield Fault((key, index, "name"), f"{key}.{index}: no route uses {interval.name!r}")


def _classic_only(place: DocumentPath, value: Any) -> Iterator[Fault]:
    """Matchers of the form that Alertmanager has deprecated."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _LISTS_OF_MATCHERS and isinstance(item, list):
                for index, line in enumerate(item):
                    if text := outdated(str(line)):
                        yield Fault((*place, key, index), f"{dotted((*place, key, index))}: {text}")
            else:
                yield from _classic_only((*place, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _classic_only((*place, index), item)


def _absent_files(config: AlertmanagerConfig) -> Iterator[Fault]:
    for index, pattern in enumerate(config.templates):
        if not glob.glob(pattern):  # noqa: PTH207 - also absolute ones
            yield Fault(("templates", index), f"templates.{index}: no file matches {pattern}")
    # The routes hold no files; receivers have what they inherit of global.
    for index, receiver in enumerate(config.receivers):
        for place, path in _files(receiver):
            if not Path(path).is_file():
                where = ("receivers", index, *place)
                yield Fault(where, f"{dotted(where)}: there is no file {path} now")


def _files(section: Section) -> Iterator[tuple[DocumentPath, str]]:
    """The paths that a section names at any depth."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        for place, item in _items(name, value):
            if isinstance(item, Section):
                yield from (((*place, *below), path) for below, path in _files(item))
            elif name.endswith("_file") and item:
                yield place, item


def _items(name: str, value: Any) -> list[tuple[DocumentPath, Any]]:
    if isinstance(value, list | tuple):
        return [((name, index), item) for index, item in enumerate(value)]
    return [((name,), value)]
