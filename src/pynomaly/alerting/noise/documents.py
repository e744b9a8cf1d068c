"""The noise report as JSON."""

from dataclasses import asdict
from typing import Any

from pynomaly.alerting.noise.report import NoiseReport, RuleNoise


def report_document(report: NoiseReport) -> dict[str, Any]:
    """Times are epoch seconds, durations seconds, shares 0 to 1."""
    return {
        "from": report.since,
        "to": report.until,
        "timezone": report.timezone,
        "firings": report.firings,
        "notifications": report.notifications,
        "unacted_notifications": report.unacted,
        "acted_share": report.acted / report.firings if report.firings else None,
        "rules_in_vain": report.in_vain,
        "rules": [_rule(rule) for rule in report.rules],
        "rules_left_out": report.left_out,
    }


def _rule(rule: RuleNoise) -> dict[str, Any]:
    return {
        "name": rule.name,
        "severity": rule.severity,
        "firings": rule.firings,
        "still_firing": rule.firings - rule.ended,
        "notifications": rule.notifications,
        "unacted_notifications": rule.unacted,
        "median_seconds": rule.median,
        "flapping": rule.flapping,
        "again_within_1h": rule.again,
        "acknowledged_share": rule.share(rule.acknowledged),
        "silenced_share": rule.share(rule.silenced),
        "acted_share": rule.share(rule.acted),
        "never_acted_on": rule.in_vain,
        "resolved_within_5m_share": rule.share(rule.soon),
        "by_hour": rule.hours,
        "receivers": [
            {
                "receiver": count.receiver,
                "notifications": count.notifications,
                "repeats": count.repeats,
            }
            for count in rule.receivers
        ],
        "suggestions": [
            {name: value for name, value in asdict(each).items() if value is not None}
            for each in rule.suggestions
        ],
    }
