"""``inhibit_rules``: alerts that keep others quiet."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from pynomaly.alerting.alertmanager.matchers import all_matchers
from pynomaly.alerting.alertmanager.values import (
    ClassicLabelName,
    LabelName,
    MatchersLine,
    Regex,
)
from pynomaly.alerting.channels.fields import Text
from pynomaly.model.document import Section
from pynomaly.model.matcher import Matcher


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """While an alert fires that matches the source, alerts that match the target are not told.

    Both must have the same value of every label of ``equal``; absent is the same as empty. An
    alert that matches both sides is not inhibited by another that does too.
    """

    name: str
    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal: frozenset[str]


class InhibitRuleConfig(Section):
    """One rule as it is written; ``*_match`` and ``*_match_re`` are the older words."""

    name: str = ""
    source_match: Mapping[ClassicLabelName, Text] = Field(default_factory=dict)
    source_match_re: Mapping[ClassicLabelName, Regex] = Field(default_factory=dict)
    source_matchers: tuple[MatchersLine, ...] = ()
    target_match: Mapping[ClassicLabelName, Text] = Field(default_factory=dict)
    target_match_re: Mapping[ClassicLabelName, Regex] = Field(default_factory=dict)
    target_matchers: tuple[MatchersLine, ...] = ()
    equal: tuple[LabelName, ...] = ()

    def rule(self) -> InhibitRule:
        """What it means."""
        return InhibitRule(
            self.name,
            all_matchers(self.source_match, self.source_match_re, self.source_matchers),
            all_matchers(self.target_match, self.target_match_re, self.target_matchers),
            frozenset(self.equal),
        )
