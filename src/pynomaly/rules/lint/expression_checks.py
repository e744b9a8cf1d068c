"""Mistakes that an expression shows by itself."""

import re
from collections.abc import Iterator

from pynomaly.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Matching,
    MatrixSelector,
    Node,
    Number,
    ValueType,
    VectorSelector,
    walk,
)
from pynomaly.promql.printer import to_text
from pynomaly.rules.lint.finding import Finding, Severity
from pynomaly.rules.lint.labels import labelling
from pynomaly.rules.lint.subject import Subject, metric_of

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
RATES = frozenset({"rate", "irate", "increase"})
_OF_COUNTERS = RATES | {"resets"}
_OF_GAUGES = frozenset({"delta", "idelta", "deriv", "predict_linear"})
_SETS = frozenset({"and", "or", "unless"})
_ERRORS = re.compile(r"(error|failure|failed|exception|crash|oom)s?_total$")
_WINDOW_MS = 300_000
_GAUGE_ENDINGS = ("_ratio", "_percent", "_percentage", "_celsius", "_free_bytes", "_avail_bytes")


def ratio_of_itself(subject: Subject) -> Iterator[Finding]:
    """``rate(x{a="b"}) / rate(x)``: each series is divided by itself, which gives 1."""
    for node, _ in subject.nodes():
        if not isinstance(node, Binary) or node.op != "/" or not _matches_all_labels(node.matching):
            continue
        top, bottom = _single_selector(node.lhs), _single_selector(node.rhs)
        if top is None or bottom is None or top == bottom or not _narrower(top, bottom):
            continue
        yield subject.finding(
            "ratio-of-itself",
            Severity.ERROR,
            "Both sides have the same labels, so every series is divided by itself: the ratio is "
            "always 1. Sum each side first.",
            fragment=to_text(node),
            suggestion=f"sum({to_text(node.lhs)}) / sum({to_text(node.rhs)})",
        )


def _matches_all_labels(matching: Matching) -> bool:
    return not matching.on and not matching.labels and not matching.include


def _single_selector(node: Node) -> VectorSelector | None:
    """The only selector of an expression that neither aggregates nor joins."""
    inner = walk(node)
    if any(isinstance(each, Aggregation | Binary) for each in inner):
        return None
    found = [each for each in inner if isinstance(each, VectorSelector)]
    return found[0] if len(found) == 1 else None


def _narrower(top: VectorSelector, bottom: VectorSelector) -> bool:
    return metric_of(top) == metric_of(bottom) != "" and set(top.matchers) > set(bottom.matchers)


def quantile_without_rate(subject: Subject) -> Iterator[Finding]:
    """``histogram_quantile(0.9, x_bucket)``: over everything since the process began."""
    for node, _ in subject.nodes():
        if not isinstance(node, Call) or node.function != "histogram_quantile":
            continue
        buckets = node.args[1]
        over_time = any(isinstance(each, MatrixSelector) for each in walk(buckets))
        raw = [each for each in walk(buckets) if metric_of(each).endswith("_bucket")]
        if over_time or not raw:
            continue
        text = to_text(raw[0])
        yield subject.finding(
            "quantile-without-rate",
            Severity.WARNING,
            "The buckets count everything since the process began, so the quantile hardly moves. "
            "Take the rate of a window first.",
            fragment=to_text(node),
            suggestion=to_text(node).replace(text, f"rate({text}[5m])", 1),
        )


def quantile_without_le(subject: Subject) -> Iterator[Finding]:
    """``histogram_quantile`` of an aggregation that drops ``le`` gives nothing."""
    for node, _ in subject.nodes():
        if isinstance(node, Call) and node.function == "histogram_quantile":
            inner = node.args[1]
            if labelling(inner).may_have("le"):
                continue
            keep = ""
            if isinstance(inner, Aggregation) and not inner.without:
                names = ", ".join(("le", *inner.grouping))
                keep = f"{inner.op} by ({names}) ({to_text(inner.expr)})"
            yield subject.finding(
                "quantile-without-le",
                Severity.ERROR,
                "The aggregation drops the label le, without which there are no buckets: the "
                "quantile gives nothing.",
                fragment=to_text(inner),
                suggestion=keep and f"histogram_quantile({to_text(node.args[0])}, {keep})",
            )


def rate_of_gauge(subject: Subject) -> Iterator[Finding]:
    """``rate`` takes every fall of a gauge for a restart of a counter."""
    for node, _ in subject.nodes():
        if not isinstance(node, Call) or node.function not in _OF_COUNTERS:
            continue
        over = node.args[0]
        metric = metric_of(over.vector) if isinstance(over, MatrixSelector) else ""
        told = subject.is_gauge(metric)
        if not told and (metric in subject.types or not metric.endswith(_GAUGE_ENDINGS)):
            continue
        instead = {"rate": "deriv", "increase": "delta", "irate": "idelta", "resets": "changes"}
        yield subject.finding(
            "rate-of-gauge",
            Severity.ERROR if told else Severity.WARNING,
            f"{metric} {'is' if told else 'is by its name'} a gauge; {node.function} takes each "
            "of its falls for the restart of a counter.",
            fragment=to_text(node),
            suggestion=f"{instead[node.function]}({to_text(over)})",
        )


def gauge_function_of_counter(subject: Subject) -> Iterator[Finding]:
    """``delta`` and its kin do not know that a counter restarts at zero."""
    for node, _ in subject.nodes():
        if not isinstance(node, Call) or node.function not in _OF_GAUGES:
            continue
        over = node.args[0]
        metric = metric_of(over.vector) if isinstance(over, MatrixSelector) else ""
        if not metric or not subject.is_counter(metric):
            continue
        told = metric in subject.types
        instead = {"delta": "increase", "idelta": "irate"}.get(node.function, "rate")
        yield subject.finding(
            "gauge-function-of-counter",
            Severity.WARNING if told else Severity.NOTE,
            f"{metric} {'is' if told else 'is by its name'} a counter; when it restarts at zero "
            f"{node.function} sees a fall that was none.",
            fragment=to_text(node),
            suggestion=f"{instead}({to_text(over)})",
        )


def threshold_on_counter(subject: Subject) -> Iterator[Finding]:
    """``errors_total > 0`` never ends: a counter only grows."""
    for node, parent in subject.nodes():
        if not isinstance(node, Binary) or node.op not in (">", ">="):
            continue
        selector, metric = node.lhs, metric_of(node.lhs)
        if not isinstance(node.rhs, Number) or not isinstance(selector, VectorSelector):
            continue
        told = subject.types.get(metric) == "counter"
        # Some gauges are called _total, too: without its type only errors are sure to add up.
        if not told and (parent or metric in subject.types or not _ERRORS.search(metric)):
            continue
        grown = Call("increase", (MatrixSelector(selector, _WINDOW_MS),), ValueType.VECTOR)
        yield subject.finding(
            "threshold-on-counter",
            Severity.WARNING if told else Severity.NOTE,
            f"{metric} {'is' if told else 'is by its name'} a counter, which only grows: once "
            "above the threshold it stays there until the process restarts.",
            fragment=to_text(node),
            suggestion=f"{to_text(grown)} {node.op} {to_text(node.rhs)}",
        )


def impossible_comparison(subject: Subject) -> Iterator[Finding]:
    """A comparison that what the left side can be makes never or always true."""
    for node, _ in subject.nodes():
        if not isinstance(node, Binary) or node.op not in COMPARISONS:
            continue
        if not isinstance(node.rhs, Number):
            continue
        bounds = _bounds(node.lhs)
        if bounds is None:
            continue
        verdict = _outcome(node.op, bounds, node.rhs.value)
        if verdict:
            low, high = bounds
            yield subject.finding(
                "impossible-comparison",
                Severity.ERROR,
                f"This is {verdict} true: the left side is always "
                + (f"{low:g}." if low == high else f"between {low:g} and {high:g}."),
                fragment=to_text(node),
            )


def _bounds(node: Node) -> tuple[float, float] | None:
    """The least and the greatest value that an expression can have, where it says so."""
    match node:
        case VectorSelector() if metric_of(node) == "up":
            return 0.0, 1.0
        case Call(function="absent" | "absent_over_time" | "present_over_time"):
            return 1.0, 1.0
        case Binary(returns_bool=True):
            return 0.0, 1.0
        case Aggregation(op="group"):
            return 1.0, 1.0
        case Aggregation(op="avg" | "min" | "max"):
            return _bounds(node.expr)
        case Call(function="avg_over_time" | "min_over_time" | "max_over_time") if isinstance(
            node.args[0], MatrixSelector
        ):
            return _bounds(node.args[0].vector)
    return None


def _outcome(op: str, bounds: tuple[float, float], threshold: float) -> str:
    low, high = bounds
    never = {
        ">": high <= threshold,
        ">=": high < threshold,
        "<": low >= threshold,
        "<=": low > threshold,
        "==": not low <= threshold <= high,
        "!=": low == high == threshold,
    }[op]
    always = {
        ">": low > threshold,
        ">=": low >= threshold,
        "<": high < threshold,
        "<=": high <= threshold,
        "==": low == high == threshold,
        "!=": not low <= threshold <= high,
    }[op]
    return "never" if never else "always" if always else ""


def labels_that_never_match(subject: Subject) -> Iterator[Finding]:
    """A join on labels that one side cannot have, or of sides with different labels."""
    for node, _ in subject.nodes():
        if not isinstance(node, Binary) or node.op == "or":
            continue
        if ValueType.VECTOR not in (node.lhs.type, node.rhs.type) or node.lhs.type != node.rhs.type:
            continue
        reason = _mismatch(node)
        if reason:
            yield subject.finding(
                "join-label-mismatch",
                Severity.ERROR if node.op != "unless" else Severity.WARNING,
                reason,
                fragment=to_text(node),
            )


def _mismatch(node: Binary) -> str:
    lhs, rhs, matching = labelling(node.lhs), labelling(node.rhs), node.matching
    if matching.on:
        for name in matching.labels:
            if lhs.may_have(name) != rhs.may_have(name):
                side = "right" if lhs.may_have(name) else "left"
                return f"The {side} side cannot have the label {name}, on which the two are joined."
        return ""
    if not (lhs.closed and rhs.closed):
        return ""
    ignored = frozenset(matching.labels) | {"__name__"}
    left, right = lhs.names - ignored, rhs.names - ignored
    if left == right or matching.include:
        return ""
    only = sorted(left ^ right)
    return (
        f"One side has the label {only[0]} and the other does not, so no series of the two match. "
        "Say on which labels they do, by on (…) or ignoring (…)."
    )
