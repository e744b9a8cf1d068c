"""Findings beside stored series, and their proofs."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata, SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.lint.data_checks import Stored
from pynomaly.rules.lint.finding import Finding
from pynomaly.rules.lint.linter import lint_with_data, read_file
from pynomaly.rules.lint.service import RulesLint
from pynomaly.storage.samples.memory import MemorySamples

NOW = 1_700_006_400
DAY = 86_400


def rows() -> list[tuple[Labels, int, float]]:
    """A day of a service at one sample a minute."""
    found = []
    for step in range(DAY // 60):
        at = (NOW - DAY + step * 60) * 1000 + 7
        for code, weight in (("200", 98), ("500", 2)):
            labels = Labels({"__name__": "requests_total", "job": "api", "code": code})
            found.append((labels, at, float(step * weight)))
        found.append((Labels({"__name__": "jobs_success", "job": "api"}), at, 12.0))
        found.append((Labels({"__name__": "jobs_started", "job": "api"}), at, 10.0))
        busy = 1.0 if step % 60 < 10 else 0.0
        found.append((Labels({"__name__": "busy", "job": "api"}), at, busy))
        found.append((Labels({"__name__": "level", "instance": "a"}), at, 5.0))
        found.append((Labels({"__name__": "size", "instance": "b"}), at, 5.0))
    return found


@pytest.fixture(scope="module")
def memory() -> MemorySamples:
    store = MemorySamples()
    metadata = (MetricMetadata("level", "gauge", "", ""),)
    batch = SampleBatch.of(rows())
    asyncio.run(
        store.append(SampleBatch(batch.ids, batch.ts, batch.values, batch.labels, metadata))
    )
    return store


@pytest.fixture
async def stored(memory: MemorySamples) -> AsyncIterator[Stored]:
    with ThreadPoolExecutor(1) as executor:
        yield Stored(LocalQuerier(memory, executor), memory, NOW * 1000)


async def look(stored: Stored, expr: str, more: str = "") -> list[Finding]:
    text = f"groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {expr!r}\n{more}"
    return await lint_with_data([read_file(text, "rules.yml")], stored)


async def test_the_ratio_of_itself_is_proven_by_a_series(stored: Stored) -> None:
    expr = 'rate(requests_total{code="200"}[5m]) / rate(requests_total[5m])'

    (finding,) = await look(stored, f"{expr} < 0.99")

    assert finding.check == "ratio-of-itself"
    assert 'code="200"' in finding.proof
    assert "gives 1; the corrected one gives 0.98" in finding.proof


@pytest.mark.parametrize(
    ("expr", "check", "said"),
    [
        ("request_total > 5", "absent-series", "requests_total"),
        ('requests_total{job="ap"} > 1e9', "absent-series", 'job="api"'),
        ("level > 1", "always-true", "from 5 to 5"),
        ("jobs_success / jobs_started < 0.9", "success-above-total", "gives 1.2"),
        ("busy > 0", "noisy-without-for", "for: 5m"),
        ("level / size > 9", "result-is-empty", 'instance="a"'),
        ("rate(requests_total[1m]) > 1e9", "window-too-short", "[4m]"),
        ("rate(level[5m]) > 9", "rate-of-gauge", "deriv(level[5m])"),
    ],
)
async def test_series_show_what_is_wrong(stored: Stored, expr: str, check: str, said: str) -> None:
    found = {finding.check: finding for finding in await look(stored, expr)}

    assert check in found
    assert said in found[check].suggestion + found[check].proof


@pytest.mark.parametrize(
    "expr",
    [
        "sum(rate(requests_total[5m])) > 1000",
        "absent(nobody_sends_this)",
        "level / on () size > 9",
        "jobs_success / jobs_started > 9 and level > 9",
    ],
)
async def test_what_is_right_is_left_alone(stored: Stored, expr: str) -> None:
    found = [f for f in await look(stored, expr) if f.check != "success-above-total"]

    assert found == []


async def test_noise_that_waits_is_fine(stored: Stored) -> None:
    assert await look(stored, "busy > 0", "        for: 15m\n") == []


async def test_the_rules_in_force_are_looked_at_once_in_five_minutes(memory: MemorySamples) -> None:
    clock = FakeClock(NOW)
    groups = list(read_file("groups: [{name: g, rules: [{record: x, expr: up > 1}]}]", "f").groups)
    with ThreadPoolExecutor(1) as executor:
        lint = RulesLint(lambda: groups, LocalQuerier(memory, executor), memory, clock)
        first = await lint.findings()
        again = await lint.findings()
        groups.clear()
        after = await lint.findings()

    assert "impossible-comparison" in {finding.check for finding in first}
    assert again is first
    assert after == []
