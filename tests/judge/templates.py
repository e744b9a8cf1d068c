"""Templates, judged by the tables of Prometheus's and of Alertmanager's template tests."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from pynomaly.gotemplate.alertmanager import KV, Alert, Alerts, Data, MessageTemplates
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.functions import Function
from pynomaly.gotemplate.html import SafeHtml
from pynomaly.gotemplate.numerals import format_float
from pynomaly.gotemplate.structures import rendered
from pynomaly.gotemplate.template import Templates
from pynomaly.gotemplate.times import Time
from pynomaly.gotemplate.types import GoType, Kind, StringMap, Strings, Uint
from pynomaly.rules.template_functions import FUNCTIONS, Expansion, Sample
from tests.judge import repositories
from tests.judge.goexpr import Binary, Call, Composite, Func, Member, Name, table
from tests.judge.score import Score

_PROMETHEUS = "promql/promqltest"
_ALERTMANAGER = "template/email.tmpl"
_FILE = "template/template_test.go"
_PROMETHEUS_NOW = 1353755652.0
_PROMETHEUS_URL = "http://testhost:9090/path/prefix"
_ALERTMANAGER_NOW = Time(1_700_000_000 * 10**9)


def judge_prometheus(folder: Path) -> Score | None:
    """TestTemplateExpansion: text or HTML, the result or the whole message of the error."""
    repository = repositories.find(folder, _PROMETHEUS)
    if repository is None:
        return None
    score = Score("prometheus/prometheus, template tests")
    source = repository.read(_FILE).decode()
    for number, case in enumerate(table(source, "TestTemplateExpansion", "[]scenario")):
        given = {key: _value(value) for key, value in case.keyed.items()}
        score.note(f"case {number} {given['text']}", _prometheus_case(given))
    return score


def _prometheus_case(case: dict[str, Any]) -> str:
    options = case.get("options") or ["missingkey=zero"]
    if "options" in case and not case["options"]:
        options = ["missingkey=default"]
    missing = options[0].removeprefix("missingkey=")
    templates = Templates(FUNCTIONS, missing_key=missing, html=bool(case.get("html")))
    context = Expansion(_PROMETHEUS_NOW, _PROMETHEUS_URL, _Always(case.get("queryResult", [])))
    _add_tmpl(templates, context)
    try:
        template = templates.parse("test", case["text"])
    except TemplateError as error:
        return _error(f"error parsing template test: {error}", case)
    try:
        return _same(template.execute(case.get("input"), context), case)
    except TemplateError as error:
        return _error(f"error executing template test: {error}", case)


def _add_tmpl(templates: Templates, context: Expansion) -> None:
    """What Prometheus adds for its console templates, which the product does not have."""

    def tmpl(name: str, data: object) -> SafeHtml:
        return SafeHtml(templates.execute(name, data, context))

    templates.functions = {**templates.functions, "tmpl": Function.of(tmpl)}


def _same(got: str, case: dict[str, Any]) -> str:
    if case.get("shouldFail"):
        return f"must fail with {case['errorMsg']!r}, gives {got!r}"
    return "" if got == case["output"] else f"expected {case['output']!r}, got {got!r}"


def _error(message: str, case: dict[str, Any]) -> str:
    if not case.get("shouldFail"):
        return f"expected {case['output']!r}, got {message!r}"
    return "" if message == case["errorMsg"] else f"expected {case['errorMsg']!r}, got {message!r}"


class _Always(dict[str, Any]):
    """Gives one answer to any query."""

    def __init__(self, answer: list[Sample]) -> None:
        super().__init__()
        self.answer = answer

    def __contains__(self, expr: object) -> bool:
        return True

    def __getitem__(self, expr: str) -> list[Sample]:
        return self.answer


def judge_alertmanager(folder: Path) -> Score | None:
    """The tables of rendered texts (the result, or the error) and of structures."""
    repository = repositories.find(folder, _ALERTMANAGER)
    if repository is None:
        return None
    score = Score("prometheus/alertmanager, template tests")
    source = repository.read(_FILE).decode()
    for function in (
        "TestTemplateExpansion",
        "TestTemplateExpansionWithOptions",
        "TestTemplateFuncs",
    ):
        for case in table(source, function, "range []struct"):
            given = {key: _value(value) for key, value in case.keyed.items()}
            score.note(f"{function}: {given['title']}", _alertmanager_case(given))
    for case in table(source, "TestDeepCopyWithTemplate", "range []struct"):
        score.note(f"TestDeepCopyWithTemplate: {case.keyed['title']}", _copied_case(case))
    return score


def _copied_case(case: Composite) -> str:
    suffix = "-templated" if case.keyed["fn"] == Name("withSuffix") else ""
    wanted = _value(case.keyed["want"])
    got = rendered(_value(case.keyed["input"]), lambda text: text + suffix)
    return "" if got == wanted else f"expected {wanted!r}, got {got!r}"


def _alertmanager_case(case: dict[str, Any]) -> str:
    further: dict[str, Function] = {}
    for option in case.get("options", ()):
        further |= option
    templates = MessageTemplates(further)
    render: Callable[..., str] = templates.html if case.get("html") else templates.text
    try:
        got = render(case["in"], case.get("data"), _ALERTMANAGER_NOW)
    except TemplateError as error:
        if wanted := case.get("expErr"):
            return "" if str(error) == wanted else f"expected {wanted!r}, got {error!s}"
        return "" if case.get("fail") else f"expected {case.get('exp', '')!r}, got {error!s}"
    if case.get("fail") or case.get("expErr"):
        return f"must fail, gives {got!r}"
    wanted = case.get("exp", "")
    return "" if got == wanted else f"expected {wanted!r}, got {got!r}"


# From Go's literals to values


class _Histogram:
    """A native histogram, as far as it is shown."""

    def __init__(self, count: float, sum_: float) -> None:
        self.shown = f"{{count:{format_float(float(count))}, sum:{format_float(float(sum_))}}}"

    def __str__(self) -> str:
        return self.shown

    go_type: ClassVar[GoType] = GoType("*histogram.FloatHistogram", Kind.STRUCT, string=str)


_FLOATS = {"math.MaxInt64": 2**63 - 1, "math.MinInt64": -(2**63), "math.MaxUint64": 2**64 - 1}
_CONSTANTS: dict[str, Any] = {
    **_FLOATS,
    "true": True,
    "false": False,
    "nil": None,
    "labels.MetricName": "__name__",
    "time.UTC": UTC,
    "time.Hour": 3600 * 10**9,
}


def _value(node: Any) -> Any:
    match node:
        case Name(name):
            return _CONSTANTS[name]
        case Binary("+", left, right):
            return _value(left) + _value(right)
        case Binary("-", left, right):
            return _value(left) - _value(right)
        case Binary("*", left, right):
            return _value(left) * _value(right)
        case Composite():
            return _composite(node)
        case Call():
            return _call(node)
        case Func(returned):
            return _constant(_value(returned[0]))
    return node


def _constant(value: str) -> Function:
    def function(*ignored: object) -> str:
        return value

    return Function.of(function)


def _composite(node: Composite) -> Any:
    kind = node.type.split(".")[-1]
    items = [_value(item) for item in node.items]
    keyed = {key: _value(value) for key, value in node.keyed.items()}
    match kind:
        case "Vector":
            return [Sample(StringMap(v.get("Metric", {})), _sample_value(v)) for v in items]
        case "sample":
            return Sample(StringMap(), keyed["Value"])
        case "FloatHistogram":
            return _Histogram(keyed["Count"], keyed["Sum"])
        case "Data":
            return _data(keyed)
        case "KV":
            return KV(keyed)
        case "Alerts":
            return Alerts(_alert(fields) for fields in items)
        case "FuncMap" | "[]Option" | "":
            return items or keyed
    return _typed(node.type, items, keyed)


def _typed(type_name: str, items: list[Any], keyed: dict[str, Any]) -> Any:
    if type_name == "[]string":
        return Strings(items)
    if type_name == "[]float64":
        return [float(item) for item in items]
    if type_name.startswith("[]uint"):
        return [Uint(item) for item in items]
    if type_name == "map[string]string":
        return StringMap(keyed)
    return keyed if type_name.startswith("map") else items


def _sample_value(sample: dict[str, Any]) -> Any:
    return sample["H"] if "H" in sample else float(sample["F"])


def _alert(fields: dict[str, Any]) -> Alert:
    return Alert(fields.get("Status", ""), fields.get("Labels", KV.none()))


def _data(fields: dict[str, Any]) -> Data:
    sets = {
        attribute: fields.get(name, KV.none())
        for name, attribute in (
            ("GroupLabels", "group_labels"),
            ("CommonLabels", "common_labels"),
            ("RouteLabels", "route_labels"),
        )
    }
    return Data(alerts=fields.get("Alerts", Alerts()), **sets)


def _call(node: Call) -> Any:
    match node.function:
        case Name("math.Inf"):
            return math.inf * _value(node.args[0])
        case Name("math.NaN"):
            return math.nan
        case Name("labels.FromStrings"):
            texts = [_value(arg) for arg in node.args]
            return dict(zip(texts[::2], texts[1::2], strict=True))
        case Name("make"):
            return []
        case Name("time.Date"):
            parts = [_value(arg) for arg in node.args]
            return Time(int(datetime(*parts[:6], tzinfo=UTC).timestamp()) * 10**9 + parts[6])
        case Name("time.Now"):
            return _ALERTMANAGER_NOW
        case Member(value, "Add"):
            return Time(_value(value).nanoseconds + _value(node.args[0]))
        case Member(value, "String"):
            return str(_value(value))
    return _value(node.args[0])  # a conversion, or an option that adds functions
