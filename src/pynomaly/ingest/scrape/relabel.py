"""Relabelling: rules that change, keep or drop label sets, as Prometheus defines them."""

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pynomaly.ingest.scrape.values import Text
from pynomaly.model.document import Section
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import compile_anchored

_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_DEFAULT_REGEX = "(.*)"
_DEFAULT_REPLACEMENT = "$1"

Action = Literal[
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
]
AnyCase = BeforeValidator(lambda text: text.lower() if isinstance(text, str) else text)
_NEEDS_TARGET = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")
_SELECTORS = ("labeldrop", "labelkeep")
_EQUALITIES = ("keepequal", "dropequal")


class RelabelRule(Section):
    """One entry of ``relabel_configs``."""

    source_labels: list[Text] | None = None
    separator: Text = ";"
    target_label: Text = ""
    regex: Text = _DEFAULT_REGEX
    modulus: int = Field(default=0, ge=0)
    replacement: Text = _DEFAULT_REPLACEMENT
    action: Annotated[Action, AnyCase] = "replace"

    @model_validator(mode="after")
    def _check(self) -> "RelabelRule":
        try:
            _compiled(self.regex)
        except BadInput as error:
            raise ValueError(str(error)) from None
        if fault := self._fault(self.action):
            raise ValueError(fault)
        return self

    def _fault(self, action: str) -> str:
        """What is wrong with the combination of fields, or the empty string."""
        if action == "hashmod" and not self.modulus:
            return "relabel action hashmod requires a modulus other than 0"
        if action in _NEEDS_TARGET and not self.target_label:
            return f"relabel action {action} requires 'target_label'"
        allowed: set[str] | None = None
        if action in _SELECTORS:
            allowed = {"action", "regex"}
        elif action in _EQUALITIES:
            allowed = {"action", "source_labels", "target_label"}
        elif action in ("lowercase", "uppercase") and self.replacement != _DEFAULT_REPLACEMENT:
            return f"'replacement' cannot be set for relabel action {action}"
        elif action == "labelmap" and not self.replacement:
            return "relabel action labelmap requires a 'replacement' that is not empty"
        if allowed is not None and (more := self._changed() - allowed):
            return f"relabel action {action} takes no {sorted(more)[0]!r}"
        return ""

    def _changed(self) -> set[str]:
        fields = type(self).model_fields
        return {name for name in fields if getattr(self, name) != fields[name].default}

    def apply(self, labels: dict[str, str]) -> bool:
        """Change ``labels`` in place; False means that they are dropped."""
        return _STEPS[self.action](self, labels)

    def source(self, labels: dict[str, str]) -> str:
        """The values of the source labels, joined."""
        return self.separator.join(labels.get(name, "") for name in self.source_labels or ())

    def matches(self, value: str) -> bool:
        """Whether the rule's regex matches all of ``value``."""
        return _compiled(self.regex).fullmatch(value) is not None

    def expand(self, template: str, value: str) -> str | None:
        """``template`` with the groups of the match in ``value``; None when there is none."""
        found = _compiled(self.regex).fullmatch(value)
        return None if found is None else _expand(template, found)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    """Not kept in the rule, so that rules are equal when they say the same."""
    return compile_anchored(pattern)


def relabel(rules: Sequence[RelabelRule], labels: dict[str, str]) -> bool:
    """Apply rules in order, in place; an empty value is no label. False: it is dropped."""
    return all(rule.apply(labels) for rule in rules)


def _expand(template: str, found: Any) -> str:
    """Go's Regexp.Expand: ``$1``, ``${1}``, ``$name``; an unknown group is empty."""

    def group(reference: "re.Match[str]") -> str:
        if reference.group(1):
            return "$"
        name = reference.group(2) or reference.group(3)
        try:
            return found.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(group, template)


def _set(labels: dict[str, str], name: str, value: str) -> None:
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _replace(rule: RelabelRule, labels: dict[str, str]) -> bool:
    value = rule.source(labels)
    target = rule.expand(rule.target_label, value)
    if target:
        _set(labels, target, rule.expand(rule.replacement, value) or "")
    return True


def _keep(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return rule.matches(rule.source(labels))


def _drop(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return not rule.matches(rule.source(labels))


def _keep_equal(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return labels.get(rule.target_label, "") == rule.source(labels)


def _drop_equal(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return labels.get(rule.target_label, "") != rule.source(labels)


def _hash_mod(rule: RelabelRule, labels: dict[str, str]) -> bool:
    digest = hashlib.md5(rule.source(labels).encode(), usedforsecurity=False).digest()
    # The last eight bytes, as Prometheus takes them, so that shards agree.
    labels[rule.target_label] = str(int.from_bytes(digest[8:], "big") % rule.modulus)
    return True


def _label_map(rule: RelabelRule, labels: dict[str, str]) -> bool:
    for name, value in list(labels.items()):
        if target := rule.expand(rule.replacement, name):
            _set(labels, target, value)
    return True


def _label_drop(rule: RelabelRule, labels: dict[str, str]) -> bool:
    for name in [n for n in labels if rule.matches(n)]:
        del labels[name]
    return True


def _label_keep(rule: RelabelRule, labels: dict[str, str]) -> bool:
    for name in [n for n in labels if not rule.matches(n)]:
        del labels[name]
    return True


def _lowercase(rule: RelabelRule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, rule.source(labels).lower())
    return True


def _uppercase(rule: RelabelRule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, rule.source(labels).upper())
    return True


_STEPS: dict[str, Callable[[RelabelRule, dict[str, str]], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hash_mod,
    "labelmap": _label_map,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
}
