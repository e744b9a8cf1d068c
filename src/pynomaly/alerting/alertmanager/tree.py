"""The routing tree as text and as JSON."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pynomaly.alerting.alertmanager.matchers import matcher_text, matchers_text
from pynomaly.alerting.alertmanager.routes import Route
from pynomaly.model.duration import format_duration
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match

_GAP = "  "


def draw(root: Route) -> str:
    """The tree in amtool's drawing; after the receiver, what a node says that none above did."""
    lines = _drawn(root, lambda node: node.children, lambda node, parent: _described(node, parent))
    return "\n".join([".", *lines])


def draw_match(root: Route, labels: Labels) -> str:
    """As amtool draws it: only the nodes on the way of an alert, receivers where it ends."""

    def taken(node: Route) -> list[Route]:
        return [child for child in _tried(node, labels) if all_match(child.matchers, labels)]

    def text(node: Route, parent: Route | None) -> str:
        return _name(node) + ("" if taken(node) else f"{_GAP}receiver: {node.receiver}")

    return "\n".join([".", *_drawn(root, taken, text)])


def _tried(node: Route, labels: Labels) -> Iterator[Route]:
    """The children that an alert is held against, in order."""
    for child in node.children:
        yield child
        if all_match(child.matchers, labels) and not child.continues:
            return


def _drawn(
    root: Route,
    children: Callable[[Route], Sequence[Route]],
    text: Callable[[Route, Route | None], str],
) -> list[str]:
    def below(nodes: Sequence[Route], parent: Route | None, indent: str) -> Iterator[str]:
        for number, node in enumerate(nodes, 1):
            last = number == len(nodes)
            yield f"{indent}{'└──' if last else '├──'} {text(node, parent)}"
            yield from below(children(node), node, indent + ("    " if last else "│   "))

    return list(below([root], None, ""))


def _name(node: Route) -> str:
    return matchers_text(node.matchers) if node.matchers else "default-route"


def _described(node: Route, parent: Route | None) -> str:
    parts = [_name(node), *(["continue: true"] if node.continues else [])]
    parts.append(f"receiver: {node.receiver}")
    above = _facts(parent) if parent else {}
    parts += [f"{key}: {text}" for key, text in _facts(node).items() if above.get(key) != text]
    for key in ("mute_time_intervals", "active_time_intervals"):
        if names := getattr(node, key):
            parts.append(f"{key}: {', '.join(names)}")
    return _GAP.join(parts)


def _facts(node: Route) -> dict[str, str]:
    """What a node hands down."""
    by = "..." if node.group_by_all else ", ".join(sorted(node.group_by)) or "nothing"
    facts = {
        "group_by": by,
        "group_wait": format_duration(node.group_wait),
        "group_interval": format_duration(node.group_interval),
        "repeat_interval": format_duration(node.repeat_interval),
    }
    return facts | {f"label {name}": value for name, value in node.labels.items()}


def as_json(node: Route) -> dict[str, Any]:
    """A node and all below, with what it has from above. Times are in seconds."""
    return {**node_as_json(node), "routes": [as_json(child) for child in node.children]}


def node_as_json(node: Route) -> dict[str, Any]:
    """A node alone."""
    return {
        "id": node.id,
        "key": node.key,
        "index": node.index,
        "receiver": node.receiver,
        "matchers": [matcher_text(matcher) for matcher in node.matchers],
        "continue": node.continues,
        "group_by": ["..."] if node.group_by_all else sorted(node.group_by),
        "group_wait": node.group_wait,
        "group_interval": node.group_interval,
        "repeat_interval": node.repeat_interval,
        "mute_time_intervals": list(node.mute_time_intervals),
        "active_time_intervals": list(node.active_time_intervals),
        "labels": dict(node.labels),
    }
