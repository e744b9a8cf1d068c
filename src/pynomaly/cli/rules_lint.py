"""``pynomaly rules lint``."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import orjson

from pynomaly.cli.output import out
from pynomaly.cli.rules_files import read_file as read_text
from pynomaly.cli.rules_files import rule_file_paths
from pynomaly.model.clock import SystemClock
from pynomaly.model.errors import BadInput
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.promql.remote_reader import RemoteReader
from pynomaly.rules.lint.data_checks import Stored
from pynomaly.rules.lint.finding import Finding, Severity
from pynomaly.rules.lint.formats import as_github, as_sarif
from pynomaly.rules.lint.linter import RuleFile, lint, lint_with_data, read_file
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.watch import PeerWatch

FORMATS = ("text", "json", "sarif", "github")
_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def lint_files(
    patterns: Sequence[str], *, url: str | None, least: str, fail_on: str, form: str
) -> bool:
    """Print the findings in files; whether none is as grave as ``fail_on``.

    ``url`` is a server whose series prove them. Severities graver than or as grave as ``least``
    are shown.

    Raises:
        BadInput: a file does not exist, or an option has another value.
        ConfigError: a file is not a valid rule file.
    """
    shown, failing = _severity("--severity", least), _severity("--fail-on", fail_on)
    if form not in FORMATS:
        raise BadInput(f"--format {form} is not one of {', '.join(FORMATS)}.")
    files = [read_file(read_text(path), str(path)) for path in rule_file_paths(patterns)]
    findings = lint(files) if url is None else asyncio.run(_with_data(files, url))
    findings = [f for f in findings if f.severity.rank <= shown.rank]
    findings.sort(key=lambda f: (f.file, f.line, f.check))
    _print(findings, files, form)
    return all(f.severity.rank > failing.rank for f in findings)


def _severity(option: str, word: str) -> Severity:
    if word not in list(Severity):
        raise BadInput(f"{option} {word} is not one of {', '.join(Severity)}.")
    return Severity(word)


async def _with_data(files: Sequence[RuleFile], url: str) -> list[Finding]:
    async with AsyncExitStack() as undo:
        client = PeerClient(PeerSettings(url=url), SystemClock())
        undo.push_async_callback(client.close)
        api, watch = PeerApi(client), PeerWatch(client)
        await watch.check()
        querier = RemoteQuerier(api, watch)
        reader = RemoteReader(api, watch, querier, timeout=30.0)
        stored = Stored(querier, reader, round(time.time() * 1000))
        return await lint_with_data(files, stored)


def _print(findings: Sequence[Finding], files: Sequence[RuleFile], form: str) -> None:
    if form == "json":
        out.print_json(orjson.dumps([f.to_dict() for f in findings]).decode())
    elif form == "sarif":
        out.print_json(orjson.dumps(as_sarif(findings)).decode())
    elif form == "github":
        for line in as_github(findings):
            out.print(line, markup=False, soft_wrap=True)
    else:
        _print_text(findings, files)


def _print_text(findings: Sequence[Finding], files: Sequence[RuleFile]) -> None:
    for finding in findings:
        place = f"{Path(finding.file)}:{finding.line}"
        out.print(f"{place}: ", end="", markup=False, soft_wrap=True)
        out.print(finding.severity.value, end=" ", style=_STYLE[finding.severity])
        out.print(f"[{finding.check}] {finding.rule}", markup=False, soft_wrap=True)
        lines = [finding.message, finding.fragment and f"in:      {finding.fragment.strip()}"]
        lines.append(finding.suggestion and f"instead: {finding.suggestion}")
        lines.append(finding.proof and f"proof:   {finding.proof}")
        for line in filter(None, lines):
            out.print(f"    {line}", markup=False, soft_wrap=True)
    rules = sum(len(group.rules) for file in files for group in file.groups)
    counts = Counter(finding.check for finding in findings)
    said = ", ".join(f"{count} {check}" for check, count in counts.most_common())
    out.print(f"{rules} rules, {len(findings)} findings{': ' + said if said else ''}", markup=False)
