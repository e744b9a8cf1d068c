"""Mistakes in what a rule says around its expression."""

import re
from collections.abc import Iterator, Sequence

from pynomaly.rules.config import Rule, RuleGroup
from pynomaly.rules.lint.finding import Finding, Severity
from pynomaly.rules.lint.labels import labelling
from pynomaly.rules.lint.subject import Subject

# $labels.name, .Labels.name, and the index form; what a query inside answers is of other series.
_LABEL = re.compile(
    r'(?:\$labels|(?<![\w)])\.Labels)\.(\w+)|index\s+(?:\$labels|\.Labels)\s+"(\w+)"'
)
_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def template_names_dropped_label(subject: Subject) -> Iterator[Finding]:
    """An annotation or label that names a label which the expression drops."""
    known = labelling(subject.node)
    texts = {**subject.group.labels, **subject.rule.labels, **subject.rule.annotations}
    for key, text in texts.items():
        if "query" in text and "range" in text:
            continue
        actions = " ".join(_ACTION.findall(text))
        for name in dict.fromkeys(a or b for a, b in _LABEL.findall(actions)):
            if known.may_have(name) or name == "alertname":
                continue
            yield subject.finding(
                "template-label-dropped",
                Severity.WARNING,
                f"{key} names the label {name}, which the expression drops: it will be empty.",
                fragment=text,
                suggestion=f"Keep {name} in the expression, by (…, {name}), or leave it out here.",
            )


def repeated(groups: Sequence[RuleGroup]) -> Iterator[tuple[Rule, RuleGroup, Finding]]:
    """Rules of one file that say the same twice: name, labels, expression and times."""
    seen: dict[tuple[object, ...], RuleGroup] = {}
    for group in groups:
        for rule in group.rules:
            labels = tuple(sorted(group.labels_of(rule).items()))
            key = (group.file, rule.name, rule.expr, rule.hold, labels)
            first = seen.setdefault(key, group)
            if first is group and sum(r == rule for r in group.rules) < 2:
                continue
            if first is group and next(r for r in group.rules if r == rule) is rule:
                continue
            finding = Finding(
                "repeated-rule",
                Severity.WARNING,
                f"The group {first.name} has the same rule: every alert of it is there twice.",
                file=group.file,
                group=group.name,
                rule=rule.name,
            )
            yield rule, group, finding
