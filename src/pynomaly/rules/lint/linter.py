"""Runs every check over rule files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pynomaly.rules.config import RuleGroup, load_rules_or_resource
from pynomaly.rules.lint import expression_checks, rule_checks
from pynomaly.rules.lint.data_checks import DATA_CHECKS, Stored
from pynomaly.rules.lint.finding import Finding, Severity
from pynomaly.rules.lint.places import Place, places
from pynomaly.rules.lint.subject import Subject

Check = Callable[[Subject], Iterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "ratio-of-itself": expression_checks.ratio_of_itself,
    "quantile-without-rate": expression_checks.quantile_without_rate,
    "quantile-without-le": expression_checks.quantile_without_le,
    "rate-of-gauge": expression_checks.rate_of_gauge,
    "gauge-function-of-counter": expression_checks.gauge_function_of_counter,
    "threshold-on-counter": expression_checks.threshold_on_counter,
    "impossible-comparison": expression_checks.impossible_comparison,
    "join-label-mismatch": expression_checks.labels_that_never_match,
    "template-label-dropped": rule_checks.template_names_dropped_label,
}
"""By the id under which a comment disables it."""

NAMES = frozenset({*CHECKS, *DATA_CHECKS, "repeated-rule", "unknown-check"})


@dataclass(frozen=True)
class RuleFile:
    """The groups of a file, and where each of its rules stands."""

    groups: Sequence[RuleGroup]
    places: Mapping[tuple[str, int], Place] = field(default_factory=dict)
    """By the group's name and the rule's number in it."""


def read_file(text: str, source: str) -> RuleFile:
    """The rules of a file with their places.

    Raises:
        ConfigError: it is not a valid rule file.
    """
    groups = load_rules_or_resource(text, source)
    found = {(groups[number].name, index): place for number, index, place in places(text)}
    return RuleFile(groups, found)


def lint(files: Sequence[RuleFile], types: Mapping[str, str] | None = None) -> list[Finding]:
    """What the rules show by themselves; ``types`` are those of metrics, where they are known."""
    findings: list[Finding] = []
    for file in files:
        for group in file.groups:
            for index, rule in enumerate(group.rules):
                subject = Subject.of(rule, group, types or {})
                found = [f for check in CHECKS.values() for f in check(subject)]
                findings += _placed(found, file.places.get((group.name, index)))
                findings += _unknown(subject, file.places.get((group.name, index)))
        findings += _repeated(file)
    return findings


async def lint_with_data(files: Sequence[RuleFile], stored: Stored) -> list[Finding]:
    """What the rules show by themselves and beside stored series, with proofs.

    Raises:
        PynomalyError: the series cannot be asked for.
    """
    types = await stored.types()
    findings = [await stored.prove(finding) for finding in lint(files, types)]
    for file in files:
        for group in file.groups:
            for index, rule in enumerate(group.rules):
                subject = Subject.of(rule, group, types)
                found = [f for check in DATA_CHECKS.values() async for f in check(subject, stored)]
                findings += _placed(found, file.places.get((group.name, index)))
    return findings


def _placed(findings: Sequence[Finding], place: Place | None) -> list[Finding]:
    if place is None:
        return list(findings)
    kept = (finding for finding in findings if finding.check not in place.disabled)
    return [replace(finding, line=place.line) for finding in kept]


def _unknown(subject: Subject, place: Place | None) -> list[Finding]:
    unknown = sorted((place.disabled if place else frozenset()) - NAMES)
    text = "A comment disables {!r}, and there is no such check."
    found = [subject.finding("unknown-check", Severity.WARNING, text.format(n)) for n in unknown]
    return _placed(found, place)


def _repeated(file: RuleFile) -> Iterator[Finding]:
    for rule, group, finding in rule_checks.repeated(file.groups):
        index = next(i for i, each in enumerate(group.rules) if each is rule)
        yield from _placed([finding], file.places.get((group.name, index)))
