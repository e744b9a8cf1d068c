"""Comparing with a reference server on a copy of its series."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pynomaly.model.document import ConfigError
from pynomaly.promql.conformance.compliance import Query, load_queries
from tests.conftest import find_server
from tests.judge.promql import beside_prometheus

QUERIES = """
test_cases:
  - query: demo_memory_usage_bytes offset {{.offset}}
    variant_args: [offset]
  - query: "sum by (job) ({{.extrapolatedRateFunc}}(demo_cpu_usage_seconds_total[{{.range}}]))"
    variant_args: [extrapolatedRateFunc, range]
  - query: demo_num_cpus {{.compBinOp}} bool 3
    variant_args: [compBinOp]
  - query: histogram_quantile(0.9, rate(demo_api_request_duration_seconds_bucket[1m]))
  - query: demo_intermittent_metric
  - query: topk(2, demo_memory_usage_bytes)
  - query: demo_num_cpus + on (job) group_left demo_num_cpus
    should_fail: true
"""


def test_variants_are_written_out_in_every_combination() -> None:
    queries = load_queries(QUERIES, "queries.yml")

    assert len(queries) == 3 + 3 * 6 + 6 + 4
    assert Query("demo_memory_usage_bytes offset 10m") in queries
    assert queries[-1].must_fail


def test_a_file_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not hold test cases"):
        load_queries("groups: []", "rules.yml")


@pytest.mark.needs("prometheus")
def test_all_answers_are_those_of_a_real_prometheus() -> None:
    program = find_server("prometheus")
    assert program

    verdicts = beside_prometheus(program, load_queries(QUERIES, "queries.yml"))

    assert [f"{v.expr}: {v.difference}" for v in verdicts if v.difference] == []
    assert len(verdicts) == 31


@pytest.mark.needs("prometheus")
def test_a_difference_is_found() -> None:
    program = find_server("prometheus")
    assert program
    # What 2.42 refuses and Prometheus 3 answers: label names of any letters.
    query = Query('label_replace(demo_num_cpus, "~", "", "job", "(.*)")', must_fail=True)

    (verdict,) = beside_prometheus(program, [query])

    assert "only the reference fails" in verdict.difference


def conformance(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pynomaly", "conformance", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_the_command_scores_a_folder_of_scripts(tmp_path: Path) -> None:
    script = """
        load 1m
          a 1 2 3
        eval instant at 2m sum_over_time(a[3m])
          {} 6
        eval instant at 2m a
          a 4
    """
    (tmp_path / "own.test").write_text(textwrap.dedent(script))

    done = conformance("--promqltest", str(tmp_path))

    assert done.returncode == 1
    assert "own:6: a" in done.stdout
    assert "1 of 2 agree: 50.0%" in done.stdout


def test_the_command_says_what_it_needs(tmp_path: Path) -> None:
    empty = conformance("--promqltest", str(tmp_path))
    nothing = conformance()

    assert empty.returncode == nothing.returncode == 1
    assert "holds no *.test files" in empty.stderr
    assert "--reference URL" in nothing.stderr
