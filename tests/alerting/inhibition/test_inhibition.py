"""Which alert keeps which other quiet."""

from pynomaly.alerting.alertmanager.inhibition import InhibitRule
from pynomaly.alerting.alertmanager.matchers import parse_matchers
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.inhibition.inhibitor import Inhibitor
from pynomaly.model.alert import fingerprint
from pynomaly.model.labels import Labels


def rule(source: str, target: str, *equal: str, name: str = "") -> InhibitRule:
    return InhibitRule(name, parse_matchers(source), parse_matchers(target), frozenset(equal))


def alert(ends_at: float = 1000.0, **labels: str) -> ReceivedAlert:
    named = Labels(labels)
    return ReceivedAlert(named, Labels(), 0.0, ends_at, 0.0, fingerprint(named))


def inhibited(inhibitor: Inhibitor, target: ReceivedAlert, now: float = 1.0) -> str | None:
    found = inhibitor.inhibited_by(target.fingerprint, target.labels, now)
    return found.source if found is not None else None


CRITICAL = alert(severity="critical", job="node")
WARNING = alert(severity="warning", job="node")
BY_SEVERITY = rule('severity="critical"', 'severity="warning"', "job")


def test_a_firing_source_inhibits_a_target_with_equal_labels() -> None:
    inhibitor = Inhibitor([BY_SEVERITY])
    assert inhibited(inhibitor, WARNING) is None
    inhibitor.observe([CRITICAL])
    assert inhibited(inhibitor, WARNING) == CRITICAL.fingerprint
    assert inhibited(inhibitor, alert(severity="warning", job="db")) is None
    assert inhibited(inhibitor, CRITICAL) is None


def test_the_verdict_names_the_rule() -> None:
    inhibitor = Inhibitor([rule('a="1"', 'b="1"'), rule('a="2"', 'b="1"', name="second")])
    inhibitor.observe([alert(a="2")])
    found = inhibitor.inhibited_by("f", Labels({"b": "1"}), 1.0)
    assert found is not None and found.rule == "second"
    inhibitor.observe([alert(a="1")])
    found = inhibitor.inhibited_by("f", Labels({"b": "1"}), 1.0)
    assert found is not None and found.rule == "inhibit_rules[0]"


def test_a_label_that_is_missing_on_both_sides_is_equal_and_the_same_as_empty() -> None:
    inhibitor = Inhibitor([BY_SEVERITY])
    inhibitor.observe([alert(severity="critical")])
    assert inhibited(inhibitor, alert(severity="warning")) is not None
    assert inhibited(inhibitor, WARNING) is None


def test_a_resolved_source_inhibits_no_more_until_it_fires_again() -> None:
    inhibitor = Inhibitor([BY_SEVERITY])
    inhibitor.observe([CRITICAL])
    assert inhibited(inhibitor, WARNING, now=1000.0) is None
    inhibitor.observe([alert(2000.0, severity="critical", job="node")])
    assert inhibited(inhibitor, WARNING, now=1000.0) == CRITICAL.fingerprint


def test_one_of_two_sources_goes_on_when_the_other_is_resolved() -> None:
    inhibitor = Inhibitor([BY_SEVERITY])
    short, long = (alert(at, severity="critical", job="node", i=str(at)) for at in (10.0, 20.0))
    for order in ([short, long], [long, short]):
        inhibitor = Inhibitor([BY_SEVERITY])
        inhibitor.observe(order)
        assert inhibited(inhibitor, WARNING, now=15.0) == long.fingerprint


def test_alerts_that_match_both_sides_do_not_inhibit_each_other_or_themselves() -> None:
    inhibitor = Inhibitor([rule('severity=~"critical|warning"', 'severity="warning"', "job")])
    other = alert(severity="warning", job="node", i="2")
    inhibitor.observe([WARNING, other])
    assert inhibited(inhibitor, WARNING) is None
    inhibitor.observe([CRITICAL])  # which is no target
    assert inhibited(inhibitor, WARNING) == CRITICAL.fingerprint


def test_an_alert_on_both_sides_inhibits_one_that_is_only_a_target() -> None:
    inhibitor = Inhibitor([rule('a="1"', 'b="1"')])
    both = alert(a="1", b="1")
    inhibitor.observe([both])
    assert inhibited(inhibitor, alert(b="1")) == both.fingerprint
    assert inhibited(inhibitor, both) is None


def test_without_equal_labels_any_source_will_do() -> None:
    inhibitor = Inhibitor([rule('a="1"', 'b="1"')])
    inhibitor.observe([alert(a="1", job="x")])
    assert inhibited(inhibitor, alert(b="1", job="y")) is not None


def test_what_is_forgotten_inhibits_no_more() -> None:
    inhibitor = Inhibitor([BY_SEVERITY])
    inhibitor.observe([CRITICAL])
    inhibitor.forget([CRITICAL])
    assert inhibited(inhibitor, WARNING) is None


def test_a_rule_without_matchers_harms_nobody() -> None:
    inhibitor = Inhibitor([rule("{}", "{}")])
    inhibitor.observe([CRITICAL])
    assert inhibited(inhibitor, WARNING) is None  # each alert matches both sides
