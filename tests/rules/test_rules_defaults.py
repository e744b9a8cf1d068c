"""The shipped rules: on real series, with runbooks, and right for promtool as well."""

import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from pynomaly.ingest.host import HostCollector
from pynomaly.model.labels import METRIC_NAME
from pynomaly.promql.parser import parse, selectors
from pynomaly.rules.config import Rule
from pynomaly.rules.defaults import default_groups

ROOT = Path(__file__).parents[2]
RULES = [rule for group in default_groups() for rule in group.rules]


def test_the_promised_alerts_are_there() -> None:
    assert {rule.alert for rule in RULES} == {
        "TargetDown",
        "IngestionStopped",
        "DiskNearlyFull",
        "Watchdog",
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_has_a_severity_a_summary_and_a_runbook_that_exists(rule: Rule) -> None:
    assert rule.labels["severity"] in {"critical", "warning", "none"}
    assert rule.annotations["summary"]
    assert rule.annotations["runbook_url"] == f"docs/runbooks/{rule.alert}.md"
    assert (ROOT / rule.annotations["runbook_url"]).read_text().startswith(f"# {rule.alert}\n")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_reads_series_that_the_product_writes(rule: Rule) -> None:
    written = {sample.name for family in HostCollector().collect() for sample in family.samples}
    for matchers in selectors(parse(rule.expr)):
        (name,) = (m.value for m in matchers if m.name == METRIC_NAME)
        assert name in written | {"up"}


@pytest.mark.needs("promtool")
def test_promtool_accepts_them(program: Callable[[str], str], tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text((resources.files("pynomaly.rules.defaults") / "pynomaly.yml").read_text())
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)], capture_output=True, text=True
    )
    assert (done.returncode, "SUCCESS: 4 rules" in done.stdout) == (0, True), done.stderr
