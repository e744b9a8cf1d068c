"""Which of the shipped rules are evaluated; what they say is tested in rule_set."""

import pytest

from pynomaly.model.document import ConfigError
from pynomaly.rules.config import RulesSettings
from pynomaly.rules.defaults import default_groups, names, peer_groups


def files(settings: RulesSettings) -> set[str]:
    return {group.file for group in default_groups(settings.defaults)}


def test_all_of_them_are_evaluated_unless_told_otherwise() -> None:
    assert files(RulesSettings()) == {f"defaults/{name}.yml" for name in names()}
    assert {"host", "http", "pynomaly", "security"} <= set(names())


@pytest.mark.parametrize("value", [False, "none", ["none"], []])
def test_none_of_them_can_be_wanted(value: object) -> None:
    assert files(RulesSettings.model_validate({"defaults": value})) == set()


@pytest.mark.parametrize("value", [True, "all", ["all"]])
def test_all_can_be_said(value: object) -> None:
    assert files(RulesSettings.model_validate({"defaults": value})) == files(RulesSettings())


def test_some_of_them_can_be_chosen() -> None:
    chosen = RulesSettings.model_validate({"defaults": ["host", "pynomaly"]})
    assert files(chosen) == {"defaults/host.yml", "defaults/pynomaly.yml"}


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="hosts") as refused:
        default_groups(["hosts"])
    assert "host, http" in refused.value.hint


def test_that_another_server_is_away_is_no_matter_of_choice() -> None:
    rules = {rule.alert for group in peer_groups() for rule in group.rules}
    assert "PrometheusUnreachable" in rules
    assert "prometheus" not in names()
