"""``python -m pynomaly.observability.metrics.reference``: the reference of the ready families."""

from collections.abc import Iterator

from pynomaly.observability.metrics.families import GROUPS
from pynomaly.observability.metrics.family import Definition, Group, Ready

_HEAD = """# The SDK's ready metrics

Made by `python -m pynomaly.observability.metrics.reference`. Each is an attribute of its group:
`MetricsCollector().cache.requests`. It is exposed from its first use on.
"""


def reference() -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    for attribute, group in GROUPS.items():
        parts.append(f"\n## `{attribute}`\n\n{(group.__doc__ or '').strip()}\n\n")
        parts.append("| attribute | metric | labels | meaning |\n| --- | --- | --- | --- |\n")
        parts.extend(_row(name, definition) for name, definition in definitions(group))
        parts.extend(_kept(definition) for _, definition in definitions(group))
    return "".join(parts)


def definitions(group: type[Group]) -> Iterator[tuple[str, Definition]]:
    """Attribute and definition of every metric of a group, in order."""
    for name, ready in vars(group).items():
        if isinstance(ready, Ready):
            yield name, ready.definition


def _row(name: str, definition: Definition) -> str:
    labels = ", ".join(f"`{label}`" for label in definition.labels)
    return f"| `{name}` | {definition.kind} `{definition.name}` | {labels} | {definition.help} |\n"


def _kept(definition: Definition) -> str:
    if not definition.kept_because:
        return ""
    return f"\n`{definition.name}` breaks the conventions: {definition.kept_because}.\n"


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - what it is for
