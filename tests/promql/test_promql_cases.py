"""The cases in cases/*.test, one test for each evaluation."""

from pathlib import Path

import pytest
from promql_script import Eval, Script

FILES = sorted((Path(__file__).parent / "cases").glob("*.test"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_expressions_give_what_the_script_says(path: Path) -> None:
    script = Script(path.read_text())

    wrong = [f"{path.name}:{c.line}: {c.expr}: {why}" for c, why in script.failures() if why]

    assert not wrong, "\n".join(wrong)


def test_the_scripts_hold_evaluations() -> None:
    scripts = [Script(path.read_text()) for path in FILES]

    assert sum(isinstance(c, Eval) for s in scripts for c in s.commands) > 200


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("eval instant at 0 1 + 1\n  3\n", "found 2.0, wanted 3"),
        ("load 1m\n  a 1\neval instant at 0 a\n  b 1\n", "found"),
        ("load 1m\n  a 1\neval range from 0 to 1m step 1m a\n  a 1 2\n", "at step 1"),
        ("load 1m\n  a 1\neval instant at 0 a\n  expect fail\n", "did not fail"),
        ("eval instant at 0 a(\n", "failed"),
        ("load 1m\n  a 1\neval instant at 0 rate(a[1m])\n  expect info\n", "no info"),
    ],
)
def test_a_script_tells_what_is_wrong(case: str, why: str) -> None:
    (_, told), *_ = Script(case).failures()

    assert why in told
