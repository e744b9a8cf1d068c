"""Label matchers: ``=``, ``!=``, ``=~``, ``!~``, with Prometheus's anchored RE2."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import re2

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels, quoted


class MatchOp(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that is absent has the value ``""``.

    ``dot_all``: whether ``.`` matches a newline, as it does in Prometheus; not in Alertmanager.
    """

    name: str
    op: MatchOp
    value: str
    dot_all: bool = field(default=True, repr=False, compare=False, kw_only=True)
    _regex: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in (MatchOp.REGEX, MatchOp.NOT_REGEX):
            object.__setattr__(self, "_regex", compile_anchored(self.value, dot_all=self.dot_all))

    def matches(self, value: str) -> bool:
        """Whether a label of this value satisfies the matcher."""
        match self.op:
            case MatchOp.EQUAL:
                return value == self.value
            case MatchOp.NOT_EQUAL:
                return value != self.value
            case MatchOp.REGEX:
                return self._regex.fullmatch(value) is not None
            case MatchOp.NOT_REGEX:
                return self._regex.fullmatch(value) is None

    def __str__(self) -> str:
        return f"{self.name}{self.op}{quoted(self.value)}"


def compile_anchored(pattern: str, *, dot_all: bool = True) -> Any:
    """Compile an RE2 pattern as Prometheus does: anchored, ``.`` matches a newline.

    ``dot_all=False``: as Alertmanager does, where it does not.

    Raises:
        BadInput: the pattern is not RE2.
    """
    try:
        re2.compile(pattern, _OPTIONS)  # alone: "a)|(b" would be valid between our parentheses
        return re2.compile(f"^(?{'s' if dot_all else ''}:{pattern})$", _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        raise BadInput(f"{pattern!r} is not a valid RE2 regular expression: {reason}") from error


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS = _quiet()


def all_match(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Whether a label set satisfies every matcher."""
    return all(m.matches(labels.get(m.name, "")) for m in matchers)
