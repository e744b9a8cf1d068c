"""The routing tree, and where an alert would go by it."""

import re
from collections import Counter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.alerting.alertmanager.routes import Route
from pynomaly.alerting.alertmanager.tree import as_json, node_as_json
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.silences.silence import SilenceState
from pynomaly.gotemplate.literals import unquote
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels

Snapshot = dict[str, Any]

_PAIR = re.compile(r"""[\s,]*([^\s,={}!~"]+)\s*=(?![=~])\s*("(?:[^"\\]|\\.)*"|[^\s,{}"]*)[\s,]*""")


class RouteSpec(BaseModel):
    """An alert by its labels: ``severity=critical, team="data base"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Annotated[str, Field(max_length=20_000)]


def tree_json(manager: AlertManager, now: float) -> Snapshot:
    """The tree in force, with the number of alerts that fire by each node now."""
    setup = manager.setup
    here: Counter[str] = Counter()
    for group in manager.dispatcher.groups():
        here[group.route.id] += sum(not a.resolved(now) for a in group.alerts.values())
    return {
        "route": as_json(setup.route),
        "alerts": dict(here),
        "receivers": {name: [way.name for way in ways] for name, ways in setup.ways.items()},
    }


def where_to(spec: RouteSpec, manager: AlertManager, now: float) -> Snapshot:
    """The nodes at which an alert of these labels would end, in the order of the tree.

    Raises:
        BadInput: the text is not labels.
    """
    labels = read_labels(spec.labels)
    matching = manager.silences.matching(labels)
    return {
        "labels": dict(labels),
        "ends": [_end(end, labels, manager, now) for end in manager.setup.route.match(labels)],
        "silenced": [s.id for s in matching if s.state(now) is SilenceState.ACTIVE],
        "maintenance": [
            {"id": window.event.id, "title": window.event.title}
            for window in manager.maintenance.windows(labels, now)
        ],
    }


def _end(end: Route, labels: Labels, manager: AlertManager, now: float) -> Snapshot:
    mute, active = end.mute_time_intervals, end.active_time_intervals
    return {
        **node_as_json(end),
        "group_labels": dict(end.group_labels(labels)),
        "silent": manager.setup.intervals.why_silent(mute, active, now),
    }


def read_labels(text: str) -> Labels:
    """Labels as people write them: with or without braces, quotes and commas.

    >>> dict(read_labels('{severity="critical", team=db}'))
    {'severity': 'critical', 'team': 'db'}

    Raises:
        BadInput: some part of it is no label.
    """
    rest = text.strip().removeprefix("{").removesuffix("}")
    found: dict[str, str] = {}
    while rest.strip(" \t\r\n,"):
        pair = _PAIR.match(rest)
        value = None if pair is None else _value(pair[2])
        if pair is None or value is None:
            raise BadInput(
                f"{rest.strip()[:80]!r} is not a label.", hint="Write labels as severity=critical."
            )
        found[pair[1]] = value
        rest = rest[pair.end() :]
    return Labels(found)


def _value(text: str) -> str | None:
    return unquote(text) if text.startswith('"') else text
