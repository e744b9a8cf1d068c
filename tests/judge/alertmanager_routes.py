"""Routes, judged by the trees of Alertmanager's tests, and by its files good and bad."""

import re
from pathlib import Path
from typing import Any

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig, RouteConfig
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.model.document import ConfigError, TextLoader, load
from pynomaly.model.labels import Labels
from tests.judge import repositories
from tests.judge.goexpr import Binary, Call, Composite, Name, element, table
from tests.judge.score import Score

_FILE = "dispatch/route_test.go"
_DOCUMENT = re.compile(r"in := `([^`]*)`")


def judge_alertmanager_routes(folder: Path) -> Score | None:
    """Where alerts end, with which options; walks, ids and numbers of the nodes."""
    repository = repositories.find(folder, _FILE)
    if repository is None:
        return None
    score = Score("prometheus/alertmanager, routes")
    source = repository.read(_FILE).decode()
    for function in ("TestRouteMatch", "TestRouteMatchers", "TestRouteMatchersAndMatch"):
        root = _tree(source, function)
        for case in table(source, function, "tests := []struct"):
            _judge_match(score, function, root, case.keyed)
    root = _tree(source, "TestRouteLabelsLoading")
    for case in table(source, "TestRouteLabelsLoading", "tests := []struct"):
        (end,) = root.match(_labels(case.keyed["input"]))
        wanted = _labels(case.keyed["expectedRouteLabels"])
        score.note(f"labels {wanted}", "" if end.labels == wanted else f"got {end.labels}")
    _judge_nodes(score, source)
    for case in table(
        repository.read("cli/test_routing_test.go").decode(), None, "[]*routingTestDefinition"
    ):
        _judge_receivers(score, repository, case.keyed)
    return score


def _judge_match(score: Score, function: str, root: Route, case: dict[str, Any]) -> None:
    ends = root.match(_labels(case["input"]))
    same = [end.key for end in ends] == case["keys"].items
    same = same and [_options(end) for end in ends] == [_wanted(o) for o in case["result"].items]
    fault = "" if same else f"expected {case['result']}, got {[_options(end) for end in ends]}"
    score.note(f"{function}: {_labels(case['input'])}", fault)


def _judge_nodes(score: Score, source: str) -> None:
    for function, of in (("TestRouteWalk", "receiver"), ("TestRouteID", "id")):
        opening = "expected := "
        body = source[source.index(f"func {function}(") :]
        wanted = element(body, body.index(opening) + len(opening)).items
        for number, (node, expected) in enumerate(
            zip(_tree(source, function).walk(), wanted, strict=True)
        ):
            got = getattr(node, of)
            score.note(f"{function} {number}", "" if got == expected else f"{got}, not {expected}")
    parent = _tree(source, "TestInheritParentGroupByAll").children[0]
    nodes = (parent, *parent.children)
    got = [node.group_by_all for node in nodes]
    score.note("TestInheritParentGroupByAll", "" if got == [True, True, False] else str(got))
    root = _tree(source, "TestRouteIndices")
    numbers = sorted(node.index for node in root.walk())
    right = numbers == list(range(len(numbers))) and root.index == numbers[-1]
    score.note("TestRouteIndices", "" if right else str(numbers))


def _judge_receivers(score: Score, repository: repositories.Repository, case: Any) -> None:
    path = f"cli/{case['configFile']}"
    config = parse_alertmanager(repository.read(path).decode(), path, Path())
    got = [end.receiver for end in build_routes(config).match(_labels(case["alert"]))]
    wanted = case["expectedReceivers"].items
    score.note(f"{path} {_labels(case['alert'])}", "" if got == wanted else f"{got}, not {wanted}")


def _tree(source: str, function: str) -> Route:
    found = _DOCUMENT.search(source, source.index(f"func {function}("))
    assert found
    route = load(found[1], function, RouteConfig, loader=TextLoader)
    return build_routes(AlertmanagerConfig(route=route))


def _labels(node: Composite) -> Labels:
    return Labels(node.keyed)


def _options(end: Route) -> dict[str, Any]:
    return {
        "Receiver": end.receiver,
        "GroupBy": end.group_by,
        "GroupByAll": end.group_by_all,
        "GroupWait": end.group_wait,
        "GroupInterval": end.group_interval,
        "RepeatInterval": end.repeat_interval,
        "Labels": end.labels,
    }


def _wanted(node: Composite) -> dict[str, Any]:
    return {key: _value(value) for key, value in node.keyed.items()}


_UNITS = {"time.Second": 1.0, "time.Minute": 60.0, "time.Hour": 3600.0}
_DEFAULTS = {
    "def.GroupBy": frozenset[str](),
    "def.GroupWait": 30.0,
    "def.GroupInterval": 300.0,
    "def.RepeatInterval": 4 * 3600.0,
    "def.Labels": Labels(),
}
_NAMES: dict[str, Any] = {**_DEFAULTS, **_UNITS, "true": True, "false": False}


def _value(node: Any) -> Any:
    match node:
        case Name(name):
            return _NAMES[name]
        case Binary("*", left, right):
            return _value(left) * _value(right)
        case Call(Name("lset"), names):
            return frozenset(names)
    return node


_CLASSIC = frozenset({"TestGroupByInvalidLabel", "TestRouteLabelsInvalidLabelName"})
"""Tests that hold only where names are not UTF-8, which a running Alertmanager must be told."""

_REFUSED = frozenset({"TestValidSNSConfig"})
"""Tests of channels that are refused here, as docs/reference/alertmanager.md says."""


def judge_alertmanager_config(folder: Path) -> Score | None:
    """Which documents of the tests of its configuration are taken, and which refused."""
    repository = repositories.find(folder, "config/testdata/conf.good.yml")
    if repository is None:
        return None
    score = Score("prometheus/alertmanager, configuration")
    source = repository.read("config/config_test.go").decode()
    for function, body in _functions(source):
        if function in _CLASSIC | _REFUSED:
            continue
        for name in sorted(set(re.findall(r'"(testdata/[\w.-]+\.yml)"', body))):
            try:
                text = repository.read(f"config/{name}").decode()
            except FileNotFoundError:
                continue  # made by the test
            _judge_document(score, f"{function} {name}", text, refused=_expects_error(body))
        if (found := _DOCUMENT.search(body)) and "Load(in)" in body:
            _judge_document(score, function, found[1], refused=_expects_error(body))
    return score


def _functions(source: str) -> list[tuple[str, str]]:
    parts = re.split(r"^func (\w+)\(", source, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _expects_error(body: str) -> bool:
    signs = (
        "no error returned, expected",
        "err == nil",
        "EqualError(",
        "require.Error",
        "err.Error()",
    )
    return any(sign in body for sign in signs)


def _judge_document(score: Score, name: str, text: str, *, refused: bool) -> None:
    try:
        parse_alertmanager(text, "file", Path("/nowhere"))
    except ConfigError as error:
        score.note(name, "" if refused else f"refused: {error}")
        return
    score.note(name, "must be refused" if refused else "")
