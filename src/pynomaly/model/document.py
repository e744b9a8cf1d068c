"""YAML documents with typed contents: an error names the file, the line and the nearest key."""

import difflib
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretBytes,
    SecretStr,
    ValidationError,
    model_validator,
)

from pynomaly.model.errors import BadInput


class Section(BaseModel):
    """The base of every typed section: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        """``server:`` with nothing below it (all is commented out) means the defaults."""
        if not isinstance(data, dict):
            return data
        empty = {key for key, value in data.items() if value is None and _may_be_empty(cls, key)}
        return {key: value for key, value in data.items() if key not in empty}


class ConfigError(BadInput):
    """A configuration that cannot be used; the message says file, line, fault and remedy."""


Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]


def load(
    text: str,
    source: str,
    model: type[Model],
    *,
    overlay: Mapping[Path, Any] | None = None,
    origins: Mapping[Path, str] | None = None,
    loader: type[yaml.SafeLoader] = yaml.SafeLoader,
) -> Model:
    """Read a YAML document into ``model``.

    ``source`` is the file's name for messages. ``overlay`` sets values at paths over the file's,
    for environment variables and options; ``origins`` names where each came from, so that a fault
    names the variable instead of a line of the file. ``loader``: ``TextLoader`` for a document
    in which ``17:00``, ``no`` and ``007`` are what they look like.

    Raises:
        ConfigError: not YAML, a key that is not known, or a value that is wrong; every fault
            found is in the message, one a line. What may be a secret is not shown.
    """
    node, data = parse(text, source, loader)
    for path, value in (overlay or {}).items():
        _set(data, path, value)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        explain = _Explanation(node, source, model, origins or {})
        faults = dict.fromkeys(explain(fault) for fault in error.errors())
        # The cause holds every value that was given: it must not get into a log.
        raise ConfigError("\n".join(faults)) from None


class Plain(str):
    """A value that a document gives without quotes, as ``TextLoader`` reads it."""

    __slots__ = ()


class TextLoader(yaml.SafeLoader):
    """Leaves every value but null a text; the model makes numbers of those that it expects.

    What programs in Go read is so: there the target decides what a value is, and what YAML 1.1
    makes of ``17:00`` (1020) or ``off`` (false) does not come into it.
    """

    def construct_text(self, node: yaml.ScalarNode) -> str:
        """``Plain``, unless there are quotes."""
        text = self.construct_scalar(node)
        return Plain(text) if node.style is None else text


TextLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
TextLoader.add_constructor("tag:yaml.org,2002:str", TextLoader.construct_text)


def untyped(value: Any) -> Any:
    """What YAML itself takes a value of ``TextLoader`` for, at any depth."""
    if isinstance(value, dict):
        return {str(key): untyped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [untyped(item) for item in value]
    if not isinstance(value, Plain) or ":" in value:  # 1:30 is a text, not 90
        return value
    forms = yaml.SafeLoader.yaml_implicit_resolvers.get(value[:1], [])
    tag = next((tag for tag, form in forms if form.match(value)), "")
    if tag.removeprefix("tag:yaml.org,2002:") not in ("int", "float", "bool"):
        return str(value)
    return yaml.SafeLoader("").construct_object(yaml.ScalarNode(tag, value))


Untyped = Annotated[Any, BeforeValidator(untyped)]
"""A field that takes anything: numbers and truth values are what they are in YAML."""


def parse(
    text: str, source: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader
) -> tuple[yaml.Node | None, dict[Any, Any]]:
    """A YAML document that is a mapping: its nodes, for ``line_of``, and its contents.

    Raises:
        ConfigError: not YAML, not a mapping, or a key that is there twice.
    """
    try:
        node = yaml.compose(text, Loader=loader)
        for key in _repeated_keys(node):
            at = key.start_mark.line + 1
            raise ConfigError(f"{source}:{at}: the key {key.value!r} is there twice; keep one")
        data = yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{source}{line}: not valid YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"{source}: not text: {error.reason}") from error
    except ValueError as error:  # what looks like a date and is none
        raise ConfigError(f"{source}: not valid YAML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deeply") from error
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{source}:1: expected keys and values, found {type(data).__name__}")
    return node, data or {}


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


class _Explanation:
    """Turns a fault that Pydantic found into one line: where, what, and what to do."""

    def __init__(
        self,
        node: yaml.Node | None,
        source: str,
        model: type[BaseModel],
        origins: Mapping[Path, str],
    ) -> None:
        self._node = node
        self._source = source
        self._model = model
        self._origins = origins

    def __call__(self, fault: Any) -> str:
        unknown = fault["type"] == "extra_forbidden"
        where = _document_path(self._model, fault["loc"], unknown=unknown)
        name = ".".join(str(part) for part in where) or "the document"
        place = self._place(where)
        if unknown:
            known = _keys_at(self._model, where[:-1])
            return f"{place}: unknown key {name!r}; {_remedy(str(where[-1]), known)}"
        if fault["type"] == "missing":
            return f"{place}: {name!r} is missing"
        message = fault["msg"].removeprefix("Value error, ")
        return f"{place}: {name}: {message}{self._shown(where, fault['input'])}"

    def _place(self, where: Path) -> str:
        for length in range(len(where), 0, -1):
            if where[:length] in self._origins:
                return self._origins[where[:length]]
        # A section that is wrong as a whole, and of which the file says nothing.
        below = [name for path, name in self._origins.items() if path[: len(where)] == where]
        if below and not _has(self._node, where):
            return ", ".join(below)
        return f"{self._source}:{line_of(self._node, where)}"

    def _shown(self, where: Path, value: Any) -> str:
        if isinstance(value, dict | list) or _holds_secret(_annotation_at(self._model, where)):
            return ""
        return f" (found {value!r})"


def _remedy(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known keys: {', '.join(sorted(known))}" if known else "no key is known here"


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


def _has(node: yaml.Node | None, path: Path) -> bool:
    for part in path:
        if not isinstance(node, yaml.MappingNode):
            return False
        node = next((value for key, value in node.value if key.value == str(part)), None)
    return node is not None


def _document_path(model: type[BaseModel], loc: tuple[str | int, ...], *, unknown: bool) -> Path:
    """Where in the document a fault lies: Pydantic also names the members of unions."""
    path: list[str | int] = []
    annotation: Any = model
    for part in loc:
        below = _descend(annotation, part)
        if below is not None:
            path.append(part)
            annotation = below
    return (*path, loc[-1]) if unknown else tuple(path)


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    models = _models_in(_annotation_at(model, path))
    return [field.alias or name for m in models for name, field in m.model_fields.items()]


def _annotation_at(model: type[BaseModel], path: Path) -> Any:
    annotation: Any = model
    for part in path:
        annotation = _descend(annotation, part)
    return annotation


def _descend(annotation: Any, part: str | int) -> Any:
    """The annotation of what lies at a key or index; None if nothing may lie there."""
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            for name, field in member.model_fields.items():
                if part in (name, field.alias):
                    return field.annotation
        origin, args = get_origin(member), get_args(member)
        if origin in (list, tuple, set, frozenset) and isinstance(part, int):
            return args[0]
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return args[1]
    return None


def _members(annotation: Any) -> Iterator[Any]:
    """The annotation itself, or the members of a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    return [m for m in _members(annotation) if isinstance(m, type) and issubclass(m, BaseModel)]


def _holds_secret(annotation: Any, seen: frozenset[Any] = frozenset()) -> bool:
    if annotation in (SecretStr, SecretBytes):
        return True
    if annotation in seen:  # a model that holds itself
        return False
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.values()
        return any(_holds_secret(f.annotation, seen | {annotation}) for f in fields)
    return any(_holds_secret(argument, seen) for argument in get_args(annotation))


def _may_be_empty(model: type[BaseModel], key: Any) -> bool:
    field = next((f for n, f in model.model_fields.items() if key in (n, f.alias)), None)
    if field is None or field.is_required():
        return False
    members = list(_members(field.annotation))
    containers = (list, tuple, set, frozenset, dict)
    return NoneType not in members and any(
        _models_in(m) or get_origin(m) in containers for m in members
    )
