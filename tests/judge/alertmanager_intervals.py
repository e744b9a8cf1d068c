"""Time intervals, judged by the tables of Alertmanager's timeinterval."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from pydantic import TypeAdapter, ValidationError

from pynomaly.alerting.alertmanager.intervals import (
    Intervals,
    NamedIntervals,
    Range,
    TimeInterval,
    TimeRange,
)
from pynomaly.model.document import TextLoader
from tests.judge import repositories
from tests.judge.goexpr import Call, Composite, Name, element, table
from tests.judge.score import Score

_FILE = "timeinterval/timeinterval_test.go"
_INTERVALS = TypeAdapter(tuple[TimeInterval, ...])


def judge_alertmanager_intervals(folder: Path) -> Score | None:
    """What is read from YAML or refused, and which moments are within."""
    repository = repositories.find(folder, _FILE)
    if repository is None:
        return None
    score = Score("prometheus/alertmanager, time intervals")
    source = repository.read(_FILE).decode()
    _judge_contains(score, source)
    _judge_documents(score, source)
    _judge_times(score, source)
    _judge_complete(score, source)
    _judge_mutes(score, source)
    return score


def _judge_contains(score: Score, source: str) -> None:
    for case in _cases(source, "timeIntervalTestCases"):
        intervals = [_value(case["timeInterval"])]
        _judge_moments(score, intervals, case, "validTimeStrings", "invalidTimeStrings")


def _judge_moments(
    score: Score, intervals: Sequence[TimeInterval], case: dict[str, Any], inside: str, outside: str
) -> None:
    for name, wanted in ((inside, True), (outside, False)):
        for text in case[name].items if name in case else ():
            at = datetime.strptime(text, "%d %b %y %H:%M %z").timestamp()
            same = any(interval.contains(at) for interval in intervals) == wanted
            score.note(f"{intervals} at {text}", "" if same else f"expected {wanted}")


def _judge_documents(score: Score, source: str) -> None:
    for case in _cases(source, "yamlUnmarshalTestCases"):
        refused = case.get("expectError") == Name("true")
        try:
            got = _INTERVALS.validate_python(yaml.load(case["in"], TextLoader))
        except ValidationError as error:
            score.note(f"read {case['in']!r}", "" if refused else f"refused: {error}")
            continue
        wanted = [] if refused else [_value(item, TimeInterval) for item in case["intervals"].items]
        fault = "must be refused" if refused else f"expected {wanted}, got {got}"
        score.note(f"read {case['in']!r}", fault if refused or list(got) != wanted else "")
        if not refused:
            _judge_moments(score, got, case, "contains", "excludes")


def _judge_times(score: Score, source: str) -> None:
    for case in _cases(source, "timeStringTestCases"):
        document = yaml.load(case["timeString"], TextLoader)
        refused = case.get("expectError") == Name("true")
        try:
            got = TimeRange.model_validate(document)
        except ValidationError:
            score.note(f"times {document}", "" if refused else "refused")
            continue
        wanted = None if refused else _value(case["TimeRange"])
        score.note(f"times {document}", "" if got == wanted else f"expected {wanted}, got {got}")


def _judge_complete(score: Score, source: str) -> None:
    for case in _cases(source, "completeTestCases"):
        interval = TimeInterval.model_validate(yaml.load(case["in"], TextLoader))
        _judge_moments(score, [interval], case, "contains", "excludes")


def _judge_mutes(score: Score, source: str) -> None:
    body = source[source.index("func TestIntervener_Mutes(") :]
    opening = "eveningsAndWeekends := "
    given = element(body, body.index(opening) + len(opening)).keyed
    named = [
        NamedIntervals(name=name, time_intervals=[_value(i, TimeInterval) for i in items.items])
        for name, items in given.items()
    ]
    for case in table(source, "TestIntervener_Mutes", "tests := []struct"):
        zone = "Australia/Sydney" if case.keyed["now"].args[-1] == Name("sydney") else "UTC"
        wanted = case.keyed["mutedBy"]
        wanted = wanted.items if isinstance(wanted, Composite) else []
        got = list(Intervals(named).mutes(sorted(given), _moment(case.keyed["now"], zone)))
        score.note(case.keyed["name"], "" if got == wanted else f"expected {wanted}, got {got}")


def _moment(date: Call, zone: str) -> float:
    return datetime(*date.args[:6], tzinfo=ZoneInfo(zone)).timestamp()


def _cases(source: str, variable: str) -> list[dict[str, Any]]:
    """The structs of a variable of the package."""
    opening = f"var {variable} = []struct"
    return [case.keyed for case in table(source, None, opening)]


_FIELDS = {
    "Times": "times",
    "Weekdays": "weekdays",
    "DaysOfMonth": "days_of_month",
    "Months": "months",
    "Years": "years",
    "Location": "location",
}


def _value(node: Any, kind: type | None = None) -> Any:
    """A TimeInterval, or what it holds; types are left out within lists."""
    if isinstance(node, Call):  # mustLoadLocation("…")
        return node.args[0]
    if not isinstance(node, Composite):
        return node.name if isinstance(node, Name) else node
    name = node.type.rpartition(".")[2]
    if kind is TimeInterval or name == "TimeInterval":
        fields = {_FIELDS[key]: _value(value) for key, value in node.keyed.items()}
        return TimeInterval.model_construct(**fields)  # unchecked: some are none of YAML's
    if name == "Location":
        return _location(node)
    if "StartMinute" in node.keyed:
        return TimeRange(start_time=node.keyed["StartMinute"], end_time=node.keyed["EndMinute"])
    if name == "InclusiveRange":
        ends = node.items or [node.keyed["Begin"], node.keyed["End"]]
        return Range(*(_number(end) for end in ends))
    inner = tuple(_value(item) for item in (node.items or node.keyed.values()))
    embedded = len(inner) == 1 and not node.type.startswith("[]")  # {InclusiveRange{…}}
    return inner[0] if embedded else inner


def _location(node: Composite) -> str:
    inner = (node.items or list(node.keyed.values()))[0]
    return str(inner.args[0]) if isinstance(inner, Call) else "Australia/Sydney"


def _number(node: Any) -> int:
    return node if isinstance(node, int) else -int(node.right)
