"""A suppression rule: of alerts that count as duplicates, so many in a stretch of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from pynomaly.alerting.alertmanager.matchers import parse_matchers
from pynomaly.alerting.suppression.errors import BadSuppressionRule
from pynomaly.model.alert import fingerprint
from pynomaly.model.document import Section
from pynomaly.model.duration import format_duration, parse_duration
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, all_match

ALL_LABELS = "..."
SEVERITY = "severity"
CRITICAL = frozenset({"critical", "page", "emergency", "p0", "sev1", "sev-1"})
"""Severities, in lower case, of which a rule must say so to hold them back."""

_LONGEST = 30 * 86_400.0


def _seconds(value: object) -> object:
    """A duration, or a number of seconds."""
    return parse_duration(value) if isinstance(value, str) else value


class SuppressionConditions(Section):
    """When a rule holds an alert back."""

    time_window: Annotated[float, BeforeValidator(_seconds)] = Field(
        gt=0, le=_LONGEST, description="The stretch of time: seconds, or a duration such as `5m`."
    )
    max_alerts_in_window: int = Field(
        ge=1, description="How many alerts of one kind a receiver is told of in that time."
    )
    matchers: tuple[str, ...] = Field(
        default=(),
        description='The alerts that the rule is about, such as `severity="warning"`; none: all.',
    )
    by: tuple[str, ...] = Field(
        default=(ALL_LABELS,),
        description="The labels that duplicates have in common. `...`, all of them, is the same "
        "alert firing again; `[alertname]` is any alert of the name.",
    )

    @field_validator("matchers", "by", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("matchers")
    @classmethod
    def _parsed(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_matchers(text)
        return texts


class SuppressionRuleSettings(Section):
    """A rule as people write it; the conditions may also stand beside the name."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="What the rule is called, in explanations too."
    )
    conditions: SuppressionConditions = Field(description="When it holds an alert back.")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        flat = {key: data[key] for key in SuppressionConditions.model_fields if key in data}
        if not flat:
            return data
        rest = {key: value for key, value in data.items() if key not in flat}
        nested = rest.get("conditions") or {}
        if not isinstance(nested, Mapping):
            return data
        twice = flat.keys() & nested.keys()
        if twice:
            raise ValueError(f"{min(twice)} stands under conditions and beside the name; keep one")
        return {**rest, "conditions": {**nested, **flat}}


@dataclass(frozen=True, slots=True)
class SuppressionRule:
    """``most`` alerts with the same values of ``by`` within ``window`` seconds, to a receiver.

    ``source``: ``file`` for one of the configuration, ``api`` for one that is stored.
    """

    name: str
    window: float
    most: int
    matchers: tuple[Matcher, ...] = ()
    by: tuple[str, ...] = (ALL_LABELS,)
    source: str = "api"
    created_by: str = ""
    created_at: float = 0.0
    conditions: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        settings: SuppressionRuleSettings,
        *,
        source: str = "api",
        created_by: str = "",
        created_at: float = 0.0,
    ) -> "SuppressionRule":
        """The rule that settings describe."""
        wanted = settings.conditions
        found = (matcher for text in wanted.matchers for matcher in parse_matchers(text))
        return cls(
            settings.name,
            wanted.time_window,
            wanted.max_alerts_in_window,
            tuple(dict.fromkeys(found)),
            wanted.by,
            source,
            created_by,
            created_at,
            wanted.model_dump(mode="json"),
        )

    def takes(self, labels: Labels) -> bool:
        """Whether it is about an alert: a critical one only if a matcher speaks of severity."""
        if not all_match(self.matchers, labels):
            return False
        names_severity = any(matcher.name == SEVERITY for matcher in self.matchers)
        return names_severity or not is_critical(labels)

    def key(self, labels: Labels) -> str:
        """What stands for the labels by which it counts."""
        if ALL_LABELS in self.by:
            return fingerprint(labels)
        return fingerprint(labels.keep(frozenset(self.by)))

    def __str__(self) -> str:
        alerts = "1 alert" if self.most == 1 else f"{self.most} alerts"
        return f"rule {self.name} allows {alerts} in {format_duration(self.window)}"


def is_critical(labels: Labels) -> bool:
    """Whether an alert is of a severity that is not held back unless somebody says so."""
    return labels.get(SEVERITY, "").lower() in CRITICAL


def read_rule(document: object) -> SuppressionRuleSettings:
    """A rule from JSON or a Python mapping.

    >>> conditions = {"time_window": 300, "max_alerts_in_window": 1}
    >>> rule = read_rule({"name": "duplicate_suppression", "conditions": conditions})
    >>> rule.conditions.time_window
    300.0

    Raises:
        BadSuppressionRule: what is wrong with it, each fault by its key.
    """
    try:
        return SuppressionRuleSettings.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'rule'}: {_said(fault['msg'])}"
            for fault in error.errors()
        ]
        raise BadSuppressionRule(
            "; ".join(dict.fromkeys(faults)),
            hint='A rule is {"name": "x", "conditions": {"time_window": 300, '
            '"max_alerts_in_window": 1}}, with matchers and by if you like.',
        ) from None


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
