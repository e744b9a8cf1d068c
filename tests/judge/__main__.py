"""Judge the product by the reference suites found under a folder: ``python -m tests.judge DIR``.

DIR holds copies of the repositories, each a work tree or a bare git repository. Prints a line for
each difference and a score for each suite; fails when something differs or nothing was found.
"""

import sys
from pathlib import Path

from tests.judge.alertmanager_intervals import judge_alertmanager_intervals
from tests.judge.alertmanager_matchers import judge_alertmanager_matchers
from tests.judge.alertmanager_routes import (
    judge_alertmanager_config,
    judge_alertmanager_routes,
)
from tests.judge.exposition import judge_expfmt, judge_openmetrics
from tests.judge.openapi import judge_openapi
from tests.judge.promql import judge_compliance, judge_promqltest
from tests.judge.rules import (
    judge_awesome_alerts,
    judge_kube_prometheus,
    judge_lint,
    judge_promtool,
)
from tests.judge.score import Suite
from tests.judge.templates import judge_alertmanager, judge_prometheus
from tests.judge.trace_context import judge_trace_context

SUITES: tuple[Suite, ...] = (
    judge_openmetrics,
    judge_expfmt,
    judge_prometheus,
    judge_alertmanager,
    judge_alertmanager_routes,
    judge_alertmanager_matchers,
    judge_alertmanager_intervals,
    judge_alertmanager_config,
    judge_promqltest,
    judge_compliance,
    judge_openapi,
    judge_awesome_alerts,
    judge_kube_prometheus,
    judge_promtool,
    judge_lint,
    judge_trace_context,
)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.judge DIR", file=sys.stderr)
        return 2
    scores = [score for suite in SUITES if (score := suite(Path(arguments[0])))]
    for score in scores:
        for difference in score.differences:
            print(f"  {difference}")
        for name in score.missing:
            print(f"  missing: {name}")
        print(score)
    if not scores:
        print(f"no reference suite under {arguments[0]}", file=sys.stderr)
    return int(not scores or any(score.differences for score in scores))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
