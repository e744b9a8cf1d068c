"""Suppression rules as Python, and the forms in which a rule can be given."""

import subprocess
import sys
from typing import Any

import pytest

from pynomaly.alerting.config import AlertingSettings
from pynomaly.alerting.suppression.engine import CorrelationEngine
from pynomaly.alerting.suppression.errors import BadSuppressionRule, NoSuchSuppressionRule
from pynomaly.alerting.suppression.rule import SuppressionRule, read_rule
from pynomaly.model.clock import FakeClock
from pynomaly.model.document import ConfigError, load
from pynomaly.model.labels import Labels

NESTED = {
    "name": "duplicate_suppression",
    "conditions": {"time_window": 300, "max_alerts_in_window": 1},
}
FLAT = {"name": "duplicate_suppression", "time_window": "5m", "max_alerts_in_window": 1}
ALERT = {"alertname": "DiskFull", "instance": "db-1"}


def test_the_guides_import_path_has_an_engine_whose_rules_work() -> None:
    from pynomaly.infrastructure.monitoring import advanced_monitoring

    engine = advanced_monitoring.correlation_engine
    assert advanced_monitoring.correlation_engine is engine
    assert isinstance(engine, advanced_monitoring.CorrelationEngine)
    engine.add_suppression_rule(NESTED)
    assert engine.suppressed(ALERT, started_at=1.0) == ""
    assert engine.suppressed(ALERT, started_at=2.0) != ""
    engine.remove_suppression_rule("duplicate_suppression")


def test_detection_alone_is_imported_without_what_alerting_needs() -> None:
    code = (
        "import sys, pynomaly.infrastructure.monitoring.advanced_monitoring;"
        "print([m for m in ('sqlalchemy', 'pydantic', 're2') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.strip() == "[]"


def test_a_firing_counts_once_and_the_window_slides() -> None:
    clock = FakeClock()
    engine = CorrelationEngine(clock=clock)
    engine.add_suppression_rule(NESTED)
    began = clock.now()
    assert engine.suppressed(ALERT, started_at=began) == ""
    assert engine.suppressed(ALERT, started_at=began) == ""
    clock._now += 299
    again = clock.now()
    assert "told was DiskFull at 2023-11-14T22:13:20Z" in engine.suppressed(ALERT, started_at=again)
    assert engine.suppressed({**ALERT, "instance": "db-2"}) == ""
    clock._now += 1
    assert engine.suppressed(ALERT, started_at=again) == ""


def test_a_rule_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(NoSuchSuppressionRule):
        CorrelationEngine().remove_suppression_rule("x")


@pytest.mark.parametrize("document", [NESTED, FLAT])
def test_conditions_stand_nested_or_flat(document: dict[str, Any]) -> None:
    rule = SuppressionRule.of(read_rule(document))
    assert (rule.window, rule.most, rule.by) == (300.0, 1, ("...",))


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"name": "x"}, "conditions: Field required"),
        ({**NESTED, "time_window": 5}, "time_window stands under conditions and beside the name"),
        ({"name": "x", "conditions": {"time_window": 300}}, "max_alerts_in_window"),
        ({**FLAT, "time_window": "soon"}, "'soon' is not a duration"),
        ({**FLAT, "max_alerts_in_window": 0}, "greater than or equal to 1"),
        ({**FLAT, "matchers": ["severity"]}, "severity"),
        ({**FLAT, "windows": 3}, "windows"),
        ("text", "rule: "),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_the_reason(document: Any, fault: str) -> None:
    with pytest.raises(BadSuppressionRule, match=r".") as refused:
        read_rule(document)
    assert fault in str(refused.value)


def test_yaml_has_the_same_forms_and_two_rules_of_one_name_are_refused() -> None:
    text = """
suppression_rules:
- name: nested
  conditions: {time_window: 300, max_alerts_in_window: 1, by: [alertname]}
- {name: flat, time_window: 5m, max_alerts_in_window: 1, matchers: ['severity="warning"']}
"""
    settings = load(text, "x.yml", AlertingSettings)
    assert [rule.conditions.time_window for rule in settings.suppression_rules] == [300.0, 300.0]
    with pytest.raises(ConfigError, match="two rules are called 'flat'"):
        load(text.replace("nested", "flat"), "x.yml", AlertingSettings)


def test_critical_alerts_are_spared_in_every_spelling() -> None:
    rule = SuppressionRule.of(read_rule(NESTED))
    for severity in ("critical", "CRITICAL", "page", "P0", "sev-1"):
        assert not rule.takes(Labels({"severity": severity}))
    assert rule.takes(Labels({"severity": "warning"}))
    assert rule.takes(Labels({}))
