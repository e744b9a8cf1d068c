"""Findings for machines: SARIF for code scanning, annotations for GitHub's checks."""

from collections.abc import Sequence
from typing import Any

from pynomaly import __version__
from pynomaly.rules.lint.finding import Finding, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def text_of(finding: Finding) -> str:
    """Everything that a finding says after its place, in one line."""
    parts = [finding.message]
    if finding.suggestion:
        parts.append(f"Instead: {finding.suggestion}")
    if finding.proof:
        parts.append(f"Proof: {finding.proof}")
    return " ".join(parts)


def as_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """A SARIF 2.1.0 log."""
    checks = sorted({finding.check for finding in findings})
    driver = {
        "name": "pynomaly rules lint",
        "version": __version__,
        "rules": [{"id": check} for check in checks],
    }
    run = {"tool": {"driver": driver}, "results": [_result(f, checks) for f in findings]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, checks: Sequence[str]) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": finding.file},
        "region": {"startLine": max(finding.line, 1)},
    }
    return {
        "ruleId": finding.check,
        "ruleIndex": checks.index(finding.check),
        "level": finding.severity.value,
        "message": {"text": f"{finding.rule}: {text_of(finding)}"},
        "locations": [{"physicalLocation": place}],
    }


def as_github(findings: Sequence[Finding]) -> list[str]:
    """Workflow commands that show each finding at its line."""
    return [
        f"::{_GITHUB[f.severity]} file={_property(f.file)},line={max(f.line, 1)},"
        f"title={_property(f'{f.check}: {f.rule}')}::{_escaped(text_of(f))}"
        for f in findings
    ]


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
