"""Rules: the community's rule files load and evaluate; verdicts on unit tests are promtool's."""

import asyncio
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pynomaly.model.document import ConfigError
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.config import RuleGroup, load_rules_or_resource
from pynomaly.rules.evaluate import explore_link
from pynomaly.rules.group import GroupRunner
from pynomaly.rules.lint.linter import lint, read_file
from pynomaly.storage.samples.memory import MemorySamples
from tests.conftest import find_server
from tests.judge import repositories
from tests.judge.score import Score

_AWESOME = "dist/rules"
_KUBE = "manifests/nodeExporter-prometheusRule.yaml"
_PROMTOOL = "cmd/promtool/testdata"
_LATER_KEYS = re.compile(r"^\s*(start_timestamp|histogram):|\{\{schema", re.MULTILINE)
"""What Debian's promtool does not know yet, or we do not store."""
_DEFENDED = {"template-label-dropped", "gauge-function-of-counter", "threshold-on-counter"}
_REPAIRED_LATER = "no-test-group-interval.yml"
"""promtool 2 fails it for lack of an interval, promtool 3 takes the file's."""


def judge_awesome_alerts(folder: Path) -> Score | None:
    """samber/awesome-prometheus-alerts: every rule loads and is evaluated."""
    repository = repositories.find(folder, _AWESOME)
    if repository is None:
        return None
    paths = [p for p in repository.list(_AWESOME) if p.endswith((".yml", ".yaml"))]
    files = {p: repository.read(p).decode() for p in paths}
    return _judge("samber/awesome-prometheus-alerts, rules", files)


def judge_kube_prometheus(folder: Path) -> Score | None:
    """prometheus-operator/kube-prometheus: every rule loads and is evaluated."""
    repository = repositories.find(folder, _KUBE)
    if repository is None:
        return None
    paths = [p for p in repository.list("manifests") if p.endswith("-prometheusRule.yaml")]
    files = {p: repository.read(p).decode() for p in paths}
    return _judge("prometheus-operator/kube-prometheus, rules", files)


def _judge(name: str, files: dict[str, str]) -> Score:
    score = Score(name)
    for path, text in files.items():
        try:
            groups = load_rules_or_resource(text, path)
        except ConfigError as error:
            score.note(path, error.message)
            continue
        for rule, error_text in asyncio.run(_evaluated(groups)):
            score.note(f"{path}: {rule}", error_text)
    return score


async def _evaluated(groups: list[RuleGroup]) -> list[tuple[str, str]]:
    store = MemorySamples()
    found = []
    with ThreadPoolExecutor(1) as executor:
        querier = LocalQuerier(store, executor)
        for group in groups:
            runner = GroupRunner(
                group, 60, querier, store, explore_link(""), restores_before=-math.inf
            )
            await runner.evaluate(1_700_000_000)
            found += [(state.rule.name, state.last_error) for state in runner.rules]
    return found


def judge_promtool(folder: Path) -> Score | None:
    """promtool's own unit-test files: the same verdict from Debian's promtool and from us."""
    repository = repositories.find(folder, _PROMTOOL)
    promtool = find_server("promtool")
    if repository is None or promtool is None:
        return None
    score = Score("prometheus/prometheus, promtool's unit-test files")
    with tempfile.TemporaryDirectory(prefix="pynomaly-promtool-") as scratch:
        for path in repository.list(_PROMTOOL):
            (Path(scratch) / Path(path).name).write_bytes(repository.read(path))
        for file in sorted(Path(scratch).glob("*.yml")):
            text = file.read_text()
            if file.name == _REPAIRED_LATER or _LATER_KEYS.search(text):
                continue
            if "tests:" in text:
                score.note(file.name, _verdicts_differ(promtool, file))
    return score


def _verdicts_differ(promtool: str, file: Path) -> str:
    ours = [sys.executable, "-m", "pynomaly", "rules", "test", str(file)]
    theirs = [promtool, "test", "rules", str(file)]
    said = [subprocess.run(c, capture_output=True, text=True).returncode for c in (theirs, ours)]
    return "" if bool(said[0]) == bool(said[1]) else f"promtool exits with {said[0]}, we {said[1]}"


def judge_lint(folder: Path) -> Score | None:
    """Counts what lint finds on the community's rules; a kind that is new is a difference.

    Each kind listed has been looked at rule by rule and is defended in ``docs/reference/lint.md``.
    """
    found = []
    for marker, where, ending in ((_AWESOME, _AWESOME, ".yml"), (_KUBE, "manifests", "ule.yaml")):
        repository = repositories.find(folder, marker)
        if repository is None:
            return None
        paths = [p for p in repository.list(where) if p.endswith(ending)]
        found += [read_file(repository.read(p).decode(), p) for p in paths]
    kinds = Counter(finding.check for finding in lint(found))
    score = Score(f"lint of the community's rules ({dict(kinds)})")
    for kind, count in kinds.items():
        for _ in range(count):
            score.note(kind, "" if kind in _DEFENDED else "a kind of finding not looked at yet")
    return score
