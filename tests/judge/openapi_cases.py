"""What is asked of the Prometheus API beyond the examples of its description."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and the status that Prometheus answers it with.

    ``operation`` is a method and a path as described; a field that the path names goes there.
    ``plain``: Prometheus answers in plain text, which its description does not say.
    """

    operation: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    content_type: str = _FORM
    plain: bool = False


def _both(path: str, fields: Mapping[str, Any], status: int = 200) -> list[Case]:
    return [Case(f"{method} {path}", fields, status) for method in ("GET", "POST")]


_NOW = {"start": "0", "end": "0", "step": "15"}
_QUERIES = (
    "up",
    "{__name__=~'up|job:up:sum'}",
    "42",
    "-Inf",
    "time()",
    "up[1m]",
    '"text"',
    "vector(NaN)",
    "absent(nothing)",
    "sum by (job) (rate(process_cpu_seconds_total[5m]))",
    "rate(process_resident_memory_bytes[5m])",
    "topk(1, up)",
    "histogram_quantile(0.9, rate(pynomaly_query_duration_seconds_bucket[5m]))",
    "quantile(2, up)",
)
_WRONG_QUERIES = ("", "up{", "sum(", "foo bar", "up[5m", "rate(up)", "nosuch(up)", '{a=""}')

CASES: tuple[Case, ...] = (
    *(case for query in _QUERIES for case in _both("/query", {"query": query})),
    *(case for query in _WRONG_QUERIES for case in _both("/query", {"query": query}, 400)),
    *_both("/query", {"query": "up", "time": "soon"}, 400),
    *_both("/query", {"query": "up", "timeout": "long"}, 400),
    *_both("/query", {"query": "up", "limit": "-1"}, 400),
    *_both("/query", {"query": "{__name__=~'.+'}", "limit": "1"}),
    *_both("/query", {"query": "up + on() group_left() {__name__=~'up|job:up:sum'}"}, 422),
    *_both("/query_range", {"query": "up", **_NOW}),
    *_both("/query_range", {"query": "up[1m]", **_NOW}, 400),
    *_both("/query_range", {"query": "up", **_NOW, "step": "0"}, 400),
    *_both("/query_range", {"query": "up", **_NOW, "start": "1"}, 400),
    *_both("/query_range", {"query": "up", **_NOW, "end": "1e9"}, 400),
    *_both("/query_range", {"query": "1", **_NOW, "end": "60"}),
    *_both("/query_range", {"query": "up{", **_NOW}, 400),
    *_both("/query_exemplars", {"query": "up{"}, 400),
    *_both("/query_exemplars", {"query": "up", "start": "1", "end": "0"}, 400),
    *_both("/format_query", {"query": "sum(", "x": "y"}, 400),
    *_both("/format_query", {"query": "sum by(job)(rate(up[5m]))>1"}),
    *_both("/parse_query", {"query": "sum("}, 400),
    *_both("/parse_query", {"query": "sum by (job) (rate(up{a!~'b'}[5m] offset 1h)) > bool 1"}),
    *_both("/labels", {"start": "x"}, 400),
    *_both("/labels", {"match[]": "up{"}, 400),
    *_both("/labels", {"limit": "x"}, 400),
    *_both("/labels", {"match[]": ["up", "job:up:sum"], "limit": "1"}),
    Case("GET /label/{name}/values", {"name": "job", "limit": "1"}),
    Case("GET /label/{name}/values", {"name": "U__no_2e_such"}),
    Case("GET /label/{name}/values", {"name": "job", "match[]": "{"}, 400),
    Case("GET /label/{name}/values", {"name": "job", "end": "x"}, 400),
    *_both("/series", {"match[]": "{__name__=~'.+'}", "limit": "2"}),
    *_both("/series", {"match[]": "up[5m]"}, 400),
    *_both("/series", {"match[]": '{a=""}'}, 400),
    Case("GET /metadata", {"metric": "up"}),
    Case("GET /metadata", {"limit": "x"}, 400),
    Case("GET /metadata", {"limit_per_metric": "x"}, 400),
    Case("GET /targets", {"state": "active"}),
    Case("GET /targets", {"state": "dropped"}),
    Case("GET /targets", {"scrapePool": "nosuch"}),
    Case("GET /targets/metadata", {"metric": "process_cpu_seconds_total"}),
    Case("GET /targets/metadata", {"limit": "x"}, 400),
    Case("GET /targets/metadata", {"match_target": "{"}, 400),
    Case("GET /targets/relabel_steps", {"scrapePool": "nosuch", "labels": "{}"}, 400),
    Case("GET /targets/relabel_steps", {"scrapePool": "prometheus", "labels": "{"}, 400),
    Case("GET /targets/relabel_steps", {"scrapePool": "dropped", "labels": '{"a": "b"}'}),
    Case("GET /scrape_pools/config", {"scrapePool": "nosuch"}, 400),
    Case("GET /rules", {"type": "nosuch"}, 400),
    Case("GET /rules", {"exclude_alerts": "maybe"}, 400),
    Case("GET /rules", {"group_limit": "0"}, 400),
    Case("GET /rules", {"group_limit": "1"}),
    Case("GET /rules", {"group_next_token": "x"}, 400),
    Case("GET /rules", {"match[]": "{"}, 400),
    Case("GET /status/tsdb", {"limit": "0"}, 400),
    Case("GET /status/tsdb", {"limit": "10001"}, 400),
    Case("GET /status/self_metrics", {"metric_name_pattern": "("}, 400),
    Case("POST /read", status=400, body=b"?", plain=True),
    Case("POST /write", status=400, body=b"?", content_type="application/x-protobuf", plain=True),
    *(Case(f"{m} /admin/tsdb/delete_series", status=400) for m in ("POST", "PUT")),
    *(
        Case(f"{m} /admin/tsdb/snapshot", {"skip_head": "perhaps"}, status=400)
        for m in ("POST", "PUT")
    ),
)
