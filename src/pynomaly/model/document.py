"""YAML documents with typed contents: an error names the file, the line and the nearest key."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pynomaly.model.errors import BadInput


class Section(BaseModel):
    """The base of every typed section: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ConfigError(BadInput):
    """A configuration that cannot be used; the message says file, line, fault and remedy."""


Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]


def load(
    text: str, source: str, model: type[Model], *, overlay: Mapping[Path, Any] | None = None
) -> Model:
    """Read a YAML document into ``model``.

    ``source`` is the file's name for messages. ``overlay`` sets values at paths over the file's,
    for environment variables and options.

    Raises:
        ConfigError: not YAML, a key that is not known, or a value that is wrong; every fault
            found is in the message, one a line.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{source}{line}: not valid YAML: {error.problem}") from error
    for key in _repeated_keys(node):
        at = key.start_mark.line + 1
        raise ConfigError(f"{source}:{at}: the key {key.value!r} is there twice; keep one")
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ConfigError(f"{source}:1: expected keys and values, found {type(data).__name__}")
    for path, value in (overlay or {}).items():
        _set(data, path, value)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [_explain(fault, node, source, model) for fault in error.errors()]
        raise ConfigError("\n".join(faults)) from error


def _repeated_keys(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Keys that a mapping has already; YAML forbids them, PyYAML takes the last."""
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key
                seen.add(key.value)
            children.append(value)
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    for child in children:
        yield from _repeated_keys(child)


def _set(data: dict[Any, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        if not isinstance(data.get(key), dict):
            data[key] = {}
        data = data[key]
    data[path[-1]] = value


def _explain(fault: Any, node: yaml.Node | None, source: str, model: type[BaseModel]) -> str:
    where: Path = tuple(fault["loc"])
    name = ".".join(str(part) for part in where) or "the document"
    place = f"{source}:{line_of(node, where)}"
    if fault["type"] == "extra_forbidden":
        known = _keys_at(model, where[:-1])
        near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
        return f"{place}: unknown key {name!r}; {remedy}"
    if fault["type"] == "missing":
        return f"{place}: {name!r} is missing"
    message = fault["msg"].removeprefix("Value error, ")
    shown = f" (found {fault['input']!r})" if not isinstance(fault["input"], dict | list) else ""
    return f"{place}: {name}: {message}{shown}"


def line_of(node: yaml.Node | None, path: Path) -> int:
    """The 1-based line of the deepest part of ``path`` that the document has."""
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        found = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        inner = _model_in(found.annotation) if found else None
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m), None)
