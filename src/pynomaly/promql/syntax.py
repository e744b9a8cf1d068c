"""An expression as it is written: laid out over lines, and as a tree for editors.

The tree has the shape of Prometheus's ``/api/v1/parse_query`` (web/api/v1/translate_ast.go).
"""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import promql_parser as library

from pynomaly.promql.aggregate import format_value
from pynomaly.promql.parser import with_tree
from pynomaly.promql.scan import Scan, scan

Tree = dict[str, Any]

_MATCH_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_CARDINALITIES = {
    "OneToOne": "one-to-one",
    "ManyToOne": "many-to-one",
    "OneToMany": "one-to-many",
    "ManyToMany": "many-to-many",
}
_SETS = frozenset({"and", "or", "unless"})


def prettified(expr: str) -> str:
    """The expression laid out as Prometheus's ``format_query`` does.

    Raises:
        ParseError: it is not PromQL.
    """
    return with_tree(expr, lambda tree, found: _with_times(tree.prettify(), found))


def _with_times(text: str, found: Scan) -> str:
    """Put the times after ``@``, which the parser saw as numbers, back in their places."""
    pieces, done = [], 0
    tokens = scan(text).tokens
    for at, number in pairwise(tokens):
        if at.text == "@" and at.kind == "other" and number.kind == "number":
            time = found.times[int(float(number.text))]
            pieces += [text[done : number.start], f"{time / 1000:.3f}"]
            done = number.start + len(number.text)
    return "".join(pieces) + text[done:]


def syntax_tree(expr: str) -> Tree:
    """The expression as nested objects, parentheses included.

    Raises:
        ParseError: it is not PromQL.
    """
    return with_tree(expr, lambda tree, found: _Shown(found).tree(tree))


class _Shown:
    def __init__(self, found: Scan) -> None:
        self._scan = found

    def tree(self, node: Any) -> Tree:
        match node:
            case library.AggregateExpr():
                return self._aggregation(node)
            case library.BinaryExpr():
                return self._binary(node)
            case library.Call():
                return self._call(node)
            case library.MatrixSelector():
                vector: Any = node.vector_selector
                width = {"range": _ms(node.range), "rangeExpr": None}
                return {"type": "matrixSelector", **width, **self._selector(vector)}
            case library.SubqueryExpr():
                return self._subquery(node)
            case library.NumberLiteral():
                return {"type": "numberLiteral", "val": format_value(node.val)}
            case library.ParenExpr():
                return {"type": "parenExpr", "expr": self.tree(node.expr)}
            case library.StringLiteral():
                return {"type": "stringLiteral", "val": node.val}
            case library.UnaryExpr():
                return {"type": "unaryExpr", "op": "-", "expr": self.tree(node.expr)}
            case library.VectorSelector():
                return {"type": "vectorSelector", **self._selector(node)}
        raise TypeError(f"{type(node).__name__} is no node of an expression")

    def _aggregation(self, node: Any) -> Tree:
        modifier = node.modifier
        return {
            "type": "aggregation",
            "op": str(node.op),
            "expr": self.tree(node.expr),
            "param": None if node.param is None else self.tree(node.param),
            "grouping": list(modifier.labels) if modifier else [],
            "without": modifier is not None and _word(modifier.type) == "Without",
        }

    def _binary(self, node: Any) -> Tree:
        op = str(node.op).lower()
        scalar = not (_is_vector(node.lhs) and _is_vector(node.rhs))
        return {
            "type": "binaryExpr",
            "op": op,
            "lhs": self.tree(node.lhs),
            "rhs": self.tree(node.rhs),
            "matching": None if scalar else _matching(op, node.modifier),
            "bool": bool(node.modifier and node.modifier.return_bool),
        }

    def _call(self, node: Any) -> Tree:
        function = node.func
        return {
            "type": "call",
            "func": {
                "name": function.name,
                "argTypes": [_word(kind).lower() for kind in function.arg_types],
                "variadic": function.variadic,
                "returnType": _word(function.return_type).lower(),
            },
            "args": [self.tree(arg) for arg in node.args],
        }

    def _selector(self, node: Any) -> Tree:
        matchers = [
            {"name": m.name, "value": m.value, "type": _MATCH_OPS[_word(m.op)]}
            for m in node.matchers.matchers
        ]
        if node.name:
            matchers.append({"name": "__name__", "value": node.name, "type": "="})
        shown = {"name": node.name or "", "matchers": matchers}
        return {**shown, **self._modifiers(node), "anchored": False, "smoothed": False}

    def _modifiers(self, node: Any) -> Tree:
        offset = {"offset": _ms(node.offset), "offsetExpr": None}
        at = node.at
        if at is None:
            return {**offset, "timestamp": None, "startOrEnd": None}
        border = _word(at.type).lower()
        if border in ("start", "end"):
            return {**offset, "timestamp": None, "startOrEnd": border}
        time = self._scan.times[int(at.at.timestamp())]
        return {**offset, "timestamp": time, "startOrEnd": None}

    def _subquery(self, node: Any) -> Tree:
        return {
            "type": "subquery",
            "expr": self.tree(node.expr),
            "range": _ms(node.range),
            "rangeExpr": None,
            "step": _ms(node.step),
            "stepExpr": None,
            **self._modifiers(node),
        }


def _matching(op: str, modifier: Any) -> Tree:
    given = modifier.matching if modifier else None
    many = "many-to-many" if op in _SETS else "one-to-one"
    fill = modifier.fill_values if modifier else None
    return {
        "card": _CARDINALITIES[_word(modifier.card)] if modifier and op not in _SETS else many,
        "labels": list(given.labels) if given else [],
        "on": given is not None and _word(given.type) == "Include",
        "include": list(modifier.group_labels or ()) if modifier else [],
        "fillValues": {
            "lhs": fill.lhs if fill else None,
            "rhs": fill.rhs if fill else None,
        },
    }


def _is_vector(node: Any) -> bool:
    match node:
        case library.NumberLiteral() | library.StringLiteral():
            return False
        case library.ParenExpr() | library.UnaryExpr():
            return _is_vector(node.expr)
        case library.Call():
            function: Any = node.func
            return _word(function.return_type) == "Vector"
        case library.BinaryExpr():
            return _is_vector(node.lhs) or _is_vector(node.rhs)
    return True


def _ms(duration: timedelta | None) -> int:
    return 0 if duration is None else duration // timedelta(milliseconds=1)


def _word(member: object) -> str:
    return str(member).rpartition(".")[2]
