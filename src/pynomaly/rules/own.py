"""Which rules are about the product itself."""

from collections.abc import Sequence

from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.promql.parser import parse, selectors
from pynomaly.rules.config import RuleGroup

OWN_JOB = "pynomaly"
_OWN_METRICS = "pynomaly_"


def about_itself(group: RuleGroup) -> bool:
    """Whether no rule of a group reads a series but the product's own.

    Such a group, and one that reads no series at all, needs no other server.
    """
    return all(_own(matchers) for rule in group.rules for matchers in selectors(parse(rule.expr)))


def _own(matchers: Sequence[Matcher]) -> bool:
    return any(
        matcher.op is MatchOp.EQUAL
        and (
            (matcher.name == METRIC_NAME and matcher.value.startswith(_OWN_METRICS))
            or (matcher.name == "job" and matcher.value == OWN_JOB)
        )
        for matcher in matchers
    )
