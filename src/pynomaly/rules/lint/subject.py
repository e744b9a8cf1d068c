"""A rule as the checks look at it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import MatchOp
from pynomaly.promql.nodes import Node, VectorSelector, children, walk
from pynomaly.promql.parser import parse
from pynomaly.rules.config import Rule, RuleGroup
from pynomaly.rules.lint.finding import Finding, Severity

_COUNTER_SUFFIXES = ("_total", "_count", "_sum", "_bucket")


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule, its parsed expression, and what sources say of the types of metrics."""

    rule: Rule
    group: RuleGroup
    node: Node
    types: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rule: Rule, group: RuleGroup, types: Mapping[str, str]) -> "Subject":
        """Look at a rule that has been loaded, so that it parses."""
        return cls(rule, group, parse(rule.expr), types)

    def nodes(self) -> Iterator[tuple[Node, Node | None]]:
        """Every node of the expression, each with the one that it is directly inside of."""
        parents = {id(child): node for node in walk(self.node) for child in children(node)}
        for node in walk(self.node):
            yield node, parents.get(id(node))

    def is_counter(self, metric: str) -> bool:
        """Whether a metric is a counter: as its source says, else by its name."""
        said = self.types.get(metric, "")
        if said in ("counter", "histogram", "summary"):
            return True
        return not said and metric.endswith(_COUNTER_SUFFIXES)

    def is_gauge(self, metric: str) -> bool:
        """Whether the source of a metric says that it is a gauge."""
        return self.types.get(metric, "") == "gauge"

    def finding(
        self,
        check: str,
        severity: Severity,
        message: str,
        *,
        fragment: str = "",
        suggestion: str = "",
        proof: str = "",
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            check,
            severity,
            message,
            fragment,
            suggestion,
            proof,
            file=self.group.file,
            group=self.group.name,
            rule=self.rule.name,
        )


def metric_of(node: Node) -> str:
    """The name that a selector asks for, or the empty string."""
    if not isinstance(node, VectorSelector):
        return ""
    named = (m.value for m in node.matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL)
    return next(named, "")
