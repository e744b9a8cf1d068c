"""The reference of all settings, made from their types: name, default, meaning."""

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pynomaly.model.duration import Duration, format_duration
from pynomaly.server.environment import OPTIONS, VARIABLES, flag
from pynomaly.server.sections import Configuration

_DURATION_MARKS = frozenset(map(id, get_args(Duration)[1:]))


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``default`` as one would write it in the file; empty means: not set."""

    name: str
    default: str
    help: str
    variable: str = ""
    option: str = ""
    reserved: bool = False


def describe() -> list[Setting]:
    """Every setting, in the order of the file."""
    return list(_settings(Configuration, "", reserved=False))


def _settings(model: type[BaseModel], prefix: str, *, reserved: bool) -> Iterator[Setting]:
    for key, field in model.model_fields.items():
        name = f"{prefix}{field.alias or key}"
        extra = field.json_schema_extra
        later = reserved or (isinstance(extra, Mapping) and bool(extra.get("reserved")))
        section, is_list = _section(field.annotation)
        if isinstance(extra, Mapping) and extra.get("described") == "elsewhere":
            section = None
        if section and not is_list:
            yield from _settings(section, f"{name}.", reserved=later)
            continue
        path = tuple(name.split("."))
        yield Setting(
            name=name,
            default=_default(field),
            help=_help(model, key, field),
            variable=next((v.name for v in VARIABLES if v.path == path), ""),
            option=next((flag(o) for o, p in OPTIONS.items() if p == path), ""),
            reserved=later,
        )
        if section:
            yield from _settings(section, f"{name}[].", reserved=later)


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section that a field holds, if any, and whether it is a list of such."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    is_union = get_origin(annotation) in (Union, UnionType)
    for argument in get_args(annotation):
        found, in_list = _section(argument)
        if found:
            return found, in_list or not is_union
    return None, False


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if any(id(mark) in _DURATION_MARKS for mark in field.metadata):
        return format_duration(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        value = [v.model_dump() if isinstance(v, BaseModel) else v for v in value]
    return value if isinstance(value, str) else json.dumps(value)


def _help(model: type[BaseModel], key: str, field: FieldInfo) -> str:
    if field.description:
        return field.description
    for cls in model.__mro__:
        if key in vars(cls).get("__annotations__", {}):
            return _attribute_docstrings(cls).get(key, "")
    return ""


@cache
def _attribute_docstrings(cls: type) -> dict[str, str]:
    """The strings below the attributes of a class, read from its source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def as_markdown() -> str:
    """The page ``docs/reference/configuration.md``."""
    lines = [_HEAD]
    section = ""
    for setting in describe():
        top = setting.name.partition(".")[0]
        if top != section:
            section = top
            lines += ["", f"## {top}", "", "| setting | default | meaning |", "| --- | --- | --- |"]
        lines.append(_row(setting))
    lines += ["", "## Environment variables", "", _ENVIRONMENT, ""]
    lines += ["| variable | setting |", "| --- | --- |"]
    lines += [f"| `{v.name}` | `{'.'.join(v.path)}` |" for v in VARIABLES]
    return "\n".join(lines) + "\n"


def _row(setting: Setting) -> str:
    extra = [f"`{name}`" for name in (setting.variable, setting.option) if name]
    notes = f" ({', '.join(extra)})" if extra else ""
    later = " *Accepted; takes effect with a later version.*" if setting.reserved else ""
    default = f"`{setting.default}`".replace("|", "\\|") if setting.default else ""
    meaning = setting.help.replace("|", "\\|")
    return f"| `{setting.name}` | {default} | {meaning}{later}{notes} |"


_HEAD = """\
# Configuration

Pynomaly needs no configuration. What you want otherwise goes into
`config/advanced_monitoring.yml`, or the file that `--config` names. An environment variable wins
over the file, and an option of the command line over both. An unknown key or a wrong value is
refused with its line and the nearest right name; `pynomaly config check` tells without starting.

Secrets are better kept out of the file: give them by environment variables, or by the `…_file`
settings. Durations are written as Prometheus does (`5s`, `1h30m`), numbers of seconds where the
name ends in `_seconds` or the meaning says so. Relative paths start at the folder of the file that
they stand in, except `server.data_dir`, which starts at the working directory.

Below, the names in parentheses are the environment variable and the option that set the same."""

_ENVIRONMENT = """\
A variable that is set to nothing counts as not set. Commas separate several values. Any other
variable whose name begins with `PYNOMALY_` is named by `pynomaly config check`, since it may be a
typing error."""


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
