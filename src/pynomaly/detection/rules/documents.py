"""Rules of anomalies as JSON, for the API and the pages. Times are epoch seconds."""

from typing import Any

from pynomaly.detection.rules.config import AnomalyRule, Direction
from pynomaly.detection.rules.repository import KeptRule
from pynomaly.detection.rules.service import AnomalyRules

Document = dict[str, Any]


def rule_document(kept: KeptRule, *, configured: bool, matches: int | None) -> Document:
    """A rule; ``matches``: how many series it matches, null while that is unknown."""
    return {
        "id": kept.id,
        **kept.rule.model_dump(mode="json", exclude_defaults=True),
        "says": words(kept.rule),
        "configured": configured,
        "created_at": kept.created_at or None,
        "created_by": kept.created_by or None,
        "matches": matches,
    }


async def rule_documents(rules: AnomalyRules) -> list[Document]:
    """All that hold, in their order."""
    every, matched = await rules.all(), rules.matched()
    known = len(matched) == len(every)
    return [
        rule_document(
            each,
            configured=rules.is_configured(each.id),
            matches=matched[i] if known else None,
        )
        for i, each in enumerate(every)
    ]


def words(rule: AnomalyRule) -> str:
    """What it does, in words.

    >>> words(AnomalyRule(matchers=["job=a"], direction="above", min_deviation=5))
    'tells only what is above expected, and off by at least 5'
    """
    if rule.ignore:
        return "tells nothing"
    parts = []
    if rule.direction is not Direction.BOTH:
        parts.append(f"{rule.direction.value} expected")
    if rule.min_deviation:
        parts.append(f"off by at least {rule.min_deviation:g}")
    if rule.min_relative_deviation:
        parts.append(f"off by at least {rule.min_relative_deviation:.0%}")
    said = f"tells only what is {', and '.join(parts)}" if parts else ""
    more = []
    if rule.min_traffic is not None:
        traffic = rule.min_traffic
        more.append(f"only while {traffic.metric or traffic.query} is {traffic.at_least:g} or more")
    if rule.budget is not None:
        more.append(f"{rule.budget:g} anomalies a week for each series in order")
    return "; ".join([*([said] if said else []), *more])
