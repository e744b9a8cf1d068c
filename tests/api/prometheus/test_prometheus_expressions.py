"""``format_query`` and ``parse_query``: expressions laid out, and as trees."""

import pytest
from prometheus_app import Client

FORMAT, PARSE = "/api/v1/format_query", "/api/v1/parse_query"


@pytest.mark.parametrize(
    ("expr", "shown"),
    [
        ("foo/bar", "foo / bar"),
        ("sum(rate(x[5m]))by(job)", "sum by (job) (rate(x[5m]))"),
        ("x@1.5 offset 1m + y @ end()", "x @ 1.500 offset 1m + y @ end()"),
        ('x{a="@ 7", b=~"c"} @ 20', 'x{a="@ 7",b=~"c"} @ 20.000'),
    ],
)
def test_an_expression_is_laid_out(client: Client, expr: str, shown: str) -> None:
    answer = client.request("POST", FORMAT, data={"query": expr})

    assert answer.json() == {"status": "success", "data": shown}


def test_the_tree_keeps_parentheses_matching_and_types(client: Client) -> None:
    expr = 'sum by (job) (rate(x_total{code!="500"}[5m])) / on (job) (y offset 1m @ start())'

    tree = client.get(PARSE, {"query": expr}).json()["data"]

    assert tree["matching"] == {
        "card": "one-to-one",
        "labels": ["job"],
        "on": True,
        "include": [],
        "fillValues": {"lhs": None, "rhs": None},
    }
    assert tree["lhs"]["grouping"] == ["job"]
    assert tree["lhs"]["expr"]["func"] == {
        "name": "rate",
        "argTypes": ["matrix"],
        "variadic": 0,
        "returnType": "vector",
    }
    assert tree["rhs"]["type"] == "parenExpr"
    assert tree["rhs"]["expr"]["offset"] == 60_000
    assert tree["rhs"]["expr"]["startOrEnd"] == "start"


@pytest.mark.parametrize("path", [FORMAT, PARSE])
def test_what_is_not_promql_is_refused_with_its_place(client: Client, path: str) -> None:
    answer = client.get(path, {"query": "sum(x"})

    assert answer.status_code == 400
    assert answer.json()["errorType"] == "bad_data"
    assert "1:6: parse error" in answer.json()["error"]


@pytest.mark.parametrize("path", [FORMAT, PARSE])
def test_a_deep_expression_harms_nothing(client: Client, path: str) -> None:
    deep = "(" * 60 + "x" + ")" * 60

    assert client.request("POST", path, data={"query": deep}).status_code == 200
    assert (
        client.request("POST", path, data={"query": "(" * 5000 + "x" + ")" * 5000}).status_code
        == 400
    )
