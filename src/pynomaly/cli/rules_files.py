"""``pynomaly rules check`` and ``pynomaly rules test``: without a server."""

import asyncio
import glob
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from pynomaly.cli.output import out
from pynomaly.model.document import ConfigError
from pynomaly.model.errors import BadInput
from pynomaly.rules.config import RuleGroup, duplicates, load_rules, load_rules_or_resource
from pynomaly.rules.unit_tests.document import load_tests, rule_paths
from pynomaly.rules.unit_tests.runner import TestResult, run_group


@dataclass
class FileReport:
    """What is to be said of a file; it is sound without errors."""

    file: str
    rules: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tests: list[TestResult] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether there is an error or a test that fails."""
        return bool(self.errors) or any(test.failures for test in self.tests)


def check(patterns: Sequence[str], *, as_json: bool) -> bool:
    """Parse rule files and say what is wrong with them; whether nothing is.

    Raises:
        BadInput: a file does not exist.
    """
    reports = [_checked(path) for path in rule_file_paths(patterns)]
    if as_json:
        _print_json(reports)
    else:
        for report in reports:
            _print_check(report)
    return not any(report.failed for report in reports)


def _checked(path: Path) -> FileReport:
    report = FileReport(str(path))
    try:
        groups = load_rules_or_resource(read_file(path), str(path))
    except ConfigError as error:
        report.errors = error.message.splitlines()
        return report
    report.rules = sum(len(group.rules) for group in groups)
    report.warnings = [
        f"{rule.name} with the labels {labels} is there {count} times; one may hide another"
        for rule, labels, count in duplicates(groups)
    ]
    return report


def _print_check(report: FileReport) -> None:
    word = "rule" if report.rules == 1 else "rules"
    state = "FAILED" if report.failed else f"{report.rules} {word} found"
    out.print(f"{report.file}: {state}", markup=False, soft_wrap=True)
    for line in report.errors:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    for line in report.warnings:
        out.print(f"  warning: {line}", markup=False, soft_wrap=True)


def test(patterns: Sequence[str], run: str | None, *, as_json: bool) -> bool:
    """Run unit-test files; whether every test holds. ``run`` is a pattern of the names to run.

    Raises:
        BadInput: a file does not exist, or ``run`` is no regular expression.
    """
    try:
        chosen = re.compile(run or "")
    except re.error as error:
        raise BadInput(f"--run {run}: not a regular expression: {error}") from error
    with ThreadPoolExecutor(1, thread_name_prefix="rules-test") as executor:
        reports = [asyncio.run(_tested(p, chosen, executor)) for p in rule_file_paths(patterns)]
    if as_json:
        _print_json(reports)
    else:
        for report in reports:
            _print_test(report)
    return not any(report.failed for report in reports)


async def _tested(path: Path, chosen: re.Pattern[str], executor: ThreadPoolExecutor) -> FileReport:
    report = FileReport(str(path))
    try:
        file = load_tests(read_file(path), str(path))
        paths, unmatched = rule_paths(file, path.parent)
        report.warnings = [f"no file matches {pattern}" for pattern in unmatched]
        groups: list[RuleGroup] = []
        for rules in paths:
            groups += load_rules(read_file(rules), str(rules))
    except ConfigError as error:
        report.errors = error.message.splitlines()
        return report
    report.rules = sum(len(group.rules) for group in groups)
    for number, each in enumerate(file.tests):
        if chosen.search(each.name):
            report.tests.append(await run_group(number, each, file, groups, executor))
    return report


def _print_test(report: FileReport) -> None:
    state = "FAILED" if report.failed else "SUCCESS"
    out.print(f"{report.file}: {state}", markup=False, soft_wrap=True)
    for line in report.errors:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    for line in report.warnings:
        out.print(f"  warning: {line}", markup=False, soft_wrap=True)
    for result in report.tests:
        for failure in result.failures:
            text = failure.replace("\n", "\n    ")
            out.print(f"  {result.name}: {text}", markup=False, soft_wrap=True)


def _print_json(reports: Sequence[FileReport]) -> None:
    shown = [{**asdict(report), "failed": report.failed} for report in reports]
    out.print_json(orjson.dumps(shown).decode())


def rule_file_paths(patterns: Sequence[str]) -> list[Path]:
    """The files that the patterns name, each once.

    Raises:
        BadInput: a pattern names none.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - also absolute ones
        if not paths:
            raise BadInput(f"{pattern} does not exist.")
        found.update(dict.fromkeys(map(Path, paths)))
    return list(found)


def read_file(path: Path) -> str:
    """The text of a file.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text.") from error
