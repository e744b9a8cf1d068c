"""The form of a unit-test file (Prometheus: configuration/unit_testing_rules)."""

import glob
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from pynomaly.model.document import Section, load
from pynomaly.model.duration import Duration


def _text(value: Any) -> Any:
    """What YAML took for a number, where the notation of a series is meant."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _seconds(value: Any) -> Any:
    """Epoch seconds of RFC 3339, of what YAML made of it, or of a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            value = datetime.fromisoformat(value)
    return value.timestamp() if isinstance(value, datetime) else value


Text = Annotated[str, BeforeValidator(_text)]
Seconds = Annotated[float, BeforeValidator(_seconds)]


class Series(Section):
    """A series of the input: its name and labels, and its values from the start on."""

    series: Text
    values: Text


class ExpectedAlert(Section):
    """An alert that fires; the label ``alertname`` need not be given."""

    exp_labels: dict[str, Text] = Field(default_factory=dict)
    exp_annotations: dict[str, Text] = Field(default_factory=dict)


class AlertTest(Section):
    """Which alerts of a name fire at a time (seconds after the start)."""

    eval_time: Duration
    alertname: Annotated[str, Field(min_length=1)]
    exp_alerts: tuple[ExpectedAlert, ...] = ()


class ExpectedSample(Section):
    """A series of an answer, and its value."""

    labels: Text = ""
    value: float = 0.0
    histogram: str = ""


class ExprTest(Section):
    """What an expression gives at a time (seconds after the start)."""

    expr: Text
    eval_time: Duration
    exp_samples: tuple[ExpectedSample, ...] = ()


class TestGroup(Section):
    """Series, and what is tested on them."""

    __test__ = False  # not a test of ours

    name: str = ""
    interval: Duration | None = None
    input_series: tuple[Series, ...] = ()
    alert_rule_test: tuple[AlertTest, ...] = ()
    promql_expr_test: tuple[ExprTest, ...] = ()
    external_labels: dict[str, Text] = Field(default_factory=dict)
    external_url: str = ""
    start_timestamp: Seconds = 0.0

    @property
    def last_time(self) -> float:
        """The latest time of all its tests, in seconds after the start."""
        alerts = [test.eval_time for test in self.alert_rule_test]
        return max([*alerts, *(test.eval_time for test in self.promql_expr_test)], default=0.0)


class TestFile(Section):
    """A unit-test file."""

    __test__ = False

    rule_files: tuple[str, ...] = ()
    evaluation_interval: Duration = 60.0
    group_eval_order: tuple[str, ...] = ()
    fuzzy_compare: bool = False
    tests: tuple[TestGroup, ...] = ()

    @model_validator(mode="after")
    def _order_names_groups_once(self) -> "TestFile":
        names = self.group_eval_order
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"group_eval_order names {twice!r} twice")
        return self


def load_tests(text: str, source: str) -> TestFile:
    """Read a unit-test file.

    Raises:
        ConfigError: file, line and fault of everything that is wrong.
    """
    return load(text, source, TestFile)


def rule_paths(file: TestFile, folder: Path) -> tuple[list[Path], list[str]]:
    """The rule files that a test file names, relative to its folder; patterns without a match."""
    found: list[Path] = []
    unmatched: list[str] = []
    for pattern in file.rule_files:
        paths = sorted(glob.glob(str(folder / pattern), recursive=True))  # noqa: PTH207 - absolute too
        found += map(Path, paths)
        unmatched += [] if paths else [pattern]
    return found, unmatched
