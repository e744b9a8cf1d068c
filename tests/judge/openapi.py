"""Every answer of the Prometheus API, judged by Prometheus's own description of it.

The product runs as a process of its own with a store, scrapes itself and evaluates its rules.
Asked are: each operation of the description with its required parameters, and with each optional
one, by the values that the description gives as examples; the same with a required parameter left
out, and with values that are none; and what needs data to look at, written down here. Status,
content type and body must be as described.
"""

import json
import re
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.judge import repositories
from tests.judge.openapi_cases import CASES, Case
from tests.judge.score import Score
from tests.product import Product, start, unused_port

_DESCRIPTION = "web/api/v1/testdata/openapi_3.1_golden.yaml"
_EXAMPLES_STATUS = {
    ("GET /rules", "group_next_token"): 400,  # without group_limit
    ("POST /admin/tsdb/delete_series", ""): 204,
    ("PUT /admin/tsdb/delete_series", ""): 204,
    ("POST /admin/tsdb/clean_tombstones", ""): 204,
    ("PUT /admin/tsdb/clean_tombstones", ""): 204,
}
"""What Prometheus 3.14 itself answers to the examples of an operation, or of one parameter."""

_PROMETHEUS_TOO = (
    "$.data.droppedTargetCounts: None is not of type 'object'",  # not asked for
    "$.data: {'resultType': 'string', 'result': [",  # the time is a number
)
"""Beginnings of faults that Prometheus 3.14 has against its own description."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_BINARY = ("/read", "/write", "/otlp")
_METHODS = ("get", "post", "put")
_FORM = "application/x-www-form-urlencoded"
_SETTINGS = """\
server: {enable_admin_api: true}
rules: {rule_files: [rules.yml], external_labels: {region: eu}}
components: {metrics: {config_file: prometheus.yml}}
"""
_SCRAPING = """\
global: {scrape_interval: 1s}
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:1"]}]}]}
scrape_configs:
- job_name: prometheus
  static_configs: [{targets: ["127.0.0.1:%d"]}]
  relabel_configs: [{source_labels: [__address__], target_label: node}]
- job_name: dropped
  static_configs: [{targets: ["127.0.0.1:2"]}]
  relabel_configs: [{action: drop}]
"""
_RULES = """\
groups:
- name: judged
  interval: 1s
  rules:
  - {record: "job:up:sum", expr: sum by (job) (up)}
  - {alert: Judged, expr: vector(1), labels: {a: b}, annotations: {summary: "{{ $value }}"}}
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``fields`` has example values by the name of a parameter."""

    method: str
    path: str
    responses: Mapping[str, Any]
    required: Mapping[str, str]
    optional: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


class Description:
    """The OpenAPI document."""

    def __init__(self, text: bytes) -> None:
        document = yaml.safe_load(text)
        self._paths = document["paths"]
        self._schemas = document["components"]["schemas"]
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry = Registry().with_resource("urn:description", resource)

    def operations(self) -> Iterator[Operation]:
        """All of them, in their order."""
        for path, methods in self._paths.items():
            for method in _METHODS:
                if method in methods:
                    yield self._operation(method, path, methods[method])

    def _operation(self, method: str, path: str, described: Mapping[str, Any]) -> Operation:
        required: dict[str, str] = {}
        optional: dict[str, list[str]] = {}
        for parameter in described.get("parameters", ()):
            found = [_text(each["value"]) for each in parameter.get("examples", {}).values()]
            found = found or [parameter["schema"].get("example", parameter["name"])]
            if parameter.get("required"):
                required[parameter["name"]] = found[0]
            else:
                optional[parameter["name"]] = found
        body = described.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema")
        if body:
            schema = self._schemas[body["$ref"].rpartition("/")[2]]
            for name, field in schema["properties"].items():
                value = _text(field.get("example", field.get("items", {}).get("example", "")))
                if name in schema.get("required", ()):
                    required[name] = value
                elif value:
                    optional[name] = [value]
        return Operation(method, path, described["responses"], required, optional)

    def fault(self, schema: Mapping[str, Any], body: Any) -> str:
        """What is wrong with a body, or the empty string."""
        moved = json.loads(json.dumps(schema).replace('"#/', '"urn:description#/'))
        validator = Draft202012Validator(moved, registry=self._registry, format_checker=_FORMATS)
        faults = sorted(validator.iter_errors(body), key=lambda fault: len(fault.path))
        return f"{faults[0].json_path}: {faults[0].message[:300]}" if faults else ""


_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or _TIME.fullmatch(value) is not None


@_FORMATS.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def judge_openapi(folder: Path) -> Score | None:
    """Ask everything; what of the description is not served is named as missing."""
    repository = repositories.find(folder, _DESCRIPTION)
    if repository is None:
        return None
    description = Description(repository.read(_DESCRIPTION))
    score = Score("prometheus/prometheus, the API's OpenAPI description")
    with tempfile.TemporaryDirectory(prefix="pynomaly-openapi-") as scratch:
        product = _running(Path(scratch))
        try:
            for operation in description.operations():
                _judge(description, operation, product, score)
        finally:
            product.stop()
    return score


def _running(folder: Path) -> Product:
    ports = unused_port(), unused_port()
    (folder / "settings.yml").write_text(_SETTINGS)
    (folder / "prometheus.yml").write_text(_SCRAPING % ports[0])
    (folder / "rules.yml").write_text(_RULES)
    product = start(folder, ports, "--config", "settings.yml")
    product.wait_for('ALERTS{alertname="Judged"}')
    product.wait_for('job:up:sum{job="prometheus"}')
    return product


def _judge(description: Description, operation: Operation, product: Product, score: Score) -> None:
    status, _, _ = _ask(product, Case(str(operation), dict(operation.required)))
    if status in (404, 405):
        score.missing.append(str(operation))
        return
    for case in (*_described(operation), *(c for c in CASES if c.operation == str(operation))):
        status, kind, body = _ask(product, case)
        shown = f"{case.operation} {urllib.parse.urlencode(case.fields, doseq=True)}"
        score.note(shown, _difference(description, operation, case, status, kind, body))


def _described(operation: Operation) -> Iterator[Case]:
    """What the description's examples make."""
    name, fields = str(operation), dict(operation.required)
    status = _EXAMPLES_STATUS.get((name, ""), 200)
    if not operation.path.startswith(_BINARY):
        yield Case(name, fields, status)
    for parameter, values in operation.optional.items():
        for value in values:
            status_of_it = _EXAMPLES_STATUS.get((name, parameter), status)
            yield Case(name, {**fields, parameter: value}, status_of_it)
    for parameter in fields:
        if f"{{{parameter}}}" not in operation.path:
            left = {key: value for key, value in fields.items() if key != parameter}
            yield Case(name, left, status=400)


def _ask(product: Product, case: Case) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer."""
    method, path = case.operation.split(" ")
    fields = dict(case.fields)
    for name in [name for name in fields if f"{{{name}}}" in path]:
        path = path.replace(f"{{{name}}}", urllib.parse.quote(str(fields.pop(name)), safe=""))
    form = urllib.parse.urlencode(fields, doseq=True)
    if method == "GET":
        return product.ask(method, f"/api/v1{path}?{form}")
    body = case.body if case.body is not None else form.encode()
    return product.ask(method, f"/api/v1{path}", body, {"Content-Type": case.content_type})


def _difference(
    description: Description,
    operation: Operation,
    case: Case,
    status: int,
    kind: str,
    body: bytes,
) -> str:
    if status != case.status:
        return f"{status}, expected {case.status}: {body[:200].decode(errors='replace')}"
    if status == 204:
        return "a body where there is none" if body else ""
    described = operation.responses.get(str(status)) or operation.responses["default"]
    contents = described.get("content", {})
    if case.plain or not contents:
        # Prometheus answers these in plain text, too, whatever its description says.
        return "" if not contents or kind.startswith("text/plain") else f"it is {kind}"
    expected, content = next(iter(contents.items()))
    if kind.partition(";")[0] != expected:
        return f"it is {kind}, described is {expected}"
    try:
        answer = json.loads(body)
    except ValueError:
        return f"it is not JSON: {body[:200].decode(errors='replace')}"
    fault = description.fault(content["schema"], answer)
    return "" if fault.startswith(_PROMETHEUS_TOO) else fault


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [str(each) for each in value]
    return json.dumps(value) if isinstance(value, bool | dict) else str(value)
