"""Where each rule stands in its file, and which checks its comments disable there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_IGNORE = re.compile(r"#\s*pynomaly:ignore\s+([\w, -]*?)(?:\s+--.*)?$")


@dataclass(frozen=True, slots=True)
class Place:
    """The lines of a rule (1-based), and the checks that are disabled on it."""

    line: int
    disabled: frozenset[str]


def places(text: str) -> Iterator[tuple[int, int, Place]]:
    """Group number, rule number, and where that rule stands.

    ``# pynomaly:ignore check-id, other-id -- why`` counts on a line of the rule, or in comments
    directly above it.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines()
    groups = _value(root, "groups") or _value(_value(root, "spec"), "groups")
    for number, group in enumerate(_items(groups)):
        rules = _items(_value(group, "rules"))
        for index, rule in enumerate(rules):
            first = rule.start_mark.line
            last = rules[index + 1].start_mark.line if index + 1 < len(rules) else None
            end = last if last is not None else rule.end_mark.line
            above = first
            while above > 0 and lines[above - 1].lstrip().startswith("#"):
                above -= 1
            below = end
            while below > first + 1 and lines[below - 1].lstrip().startswith("#"):
                below -= 1  # comments before the next rule are the next rule's
            yield number, index, Place(first + 1, _disabled(lines[above:below]))


def _disabled(lines: list[str]) -> frozenset[str]:
    found: set[str] = set()
    for line in lines:
        if match := _IGNORE.search(line):
            found |= {name.strip() for name in match[1].replace(",", " ").split()}
    return frozenset(found)


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []
