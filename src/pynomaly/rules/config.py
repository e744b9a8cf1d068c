"""Prometheus's rule files, and the settings of their evaluation."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictStr,
    field_validator,
    model_validator,
)

from pynomaly.model.document import Section, load
from pynomaly.model.duration import Duration
from pynomaly.promql.contract import ParseError
from pynomaly.promql.nodes import ValueType
from pynomaly.promql.parser import parse
from pynomaly.rules.backtest.config import BacktestSettings
from pynomaly.rules.template import template_fault

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESOURCE = re.compile(r"^kind:\s*PrometheusRule\b", re.MULTILINE)
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def _label_names(labels: Mapping[str, str]) -> Mapping[str, str]:
    for name in labels:
        if not _LABEL_NAME.fullmatch(name) or name == "__name__":
            raise ValueError(f"{name!r} is not a label name")
    return labels


StringMap = Annotated[dict[str, StrictStr], AfterValidator(_label_names)]


class Rule(Section):
    """One rule: ``alert`` or ``record`` names it. Durations are seconds."""

    alert: StrictStr = ""
    record: StrictStr = ""
    expr: StrictStr
    hold: Duration = Field(default=0.0, alias="for")
    keep_firing_for: Duration = 0.0
    labels: StringMap = Field(default_factory=dict)
    annotations: StringMap = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The alert's name, or that of the recorded metric."""
        return self.alert or self.record

    @field_validator("expr", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        # YAML makes a number of `expr: 1`, which is a fine expression.
        return str(value) if isinstance(value, int | float) else value

    @field_validator("expr")
    @classmethod
    def _parses(cls, value: str) -> str:
        try:
            kind = parse(value).type
        except ParseError as error:
            raise ValueError(f"could not parse the expression: {error}") from error
        if kind not in (ValueType.VECTOR, ValueType.SCALAR):
            raise ValueError(f"must give an instant vector or a scalar; this is a {kind}")
        return value.strip()

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Rule":
        if bool(self.alert) == bool(self.record):
            raise ValueError("a rule has either 'alert' or 'record'")
        if self.record:
            for key, given in (
                ("for", self.hold),
                ("keep_firing_for", self.keep_firing_for),
                ("annotations", self.annotations),
            ):
                if given:
                    raise ValueError(f"{key!r} is for alerting rules; this one records")
            if not _METRIC_NAME.fullmatch(self.record):
                raise ValueError(f"record: {self.record!r} is not a metric name")
        return self

    @model_validator(mode="after")
    def _has_templates(self) -> "Rule":
        if self.alert:
            for key, texts in (("labels", self.labels), ("annotations", self.annotations)):
                for name, text in texts.items():
                    if "{{" in text and (fault := template_fault(self.alert, text)):
                        raise ValueError(f"{key}: {name!r} is not a template: {fault}")
        return self


class RuleGroup(Section):
    """Rules that are evaluated one after the other at the same time."""

    name: Annotated[str, Field(min_length=1)]
    interval: Duration | None = Field(default=None, description="The default when not given.")
    limit: Annotated[int, Field(ge=0)] = 0
    query_offset: Duration = 0.0
    labels: StringMap = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    file: str = Field(default="", exclude=True)
    """Where it was read; not a key of the file."""

    @field_validator("file")
    @classmethod
    def _not_in_files(cls, value: str) -> str:
        raise ValueError("unknown key 'file'")

    @model_validator(mode="after")
    def _interval_above_zero(self) -> "RuleGroup":
        if self.interval == 0.0:
            raise ValueError("interval must be longer than 0")
        return self

    @property
    def key(self) -> str:
        """What tells a group from every other: names are unique within a file only."""
        return f"{self.file};{self.name}"

    def labels_of(self, rule: Rule) -> dict[str, str]:
        """The labels that a rule adds: its group's, overridden by its own."""
        return {**self.labels, **rule.labels}


class RuleFile(Section):
    """A rule file as Prometheus reads it."""

    groups: tuple[RuleGroup, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> "RuleFile":
        names = [group.name for group in self.groups]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the group {twice!r} occurs twice")
        return self


def load_rules(text: str, source: str) -> list[RuleGroup]:
    """The groups of a rule file. ``source`` is its name, for messages and the API.

    Raises:
        ConfigError: file, line and fault of everything that is wrong.
    """
    groups = load(text, source, RuleFile).groups
    return [group.model_copy(update={"file": source}) for group in groups]


class _Resource(RuleFile):
    """A Kubernetes resource of the kind PrometheusRule."""

    apiVersion: str = ""  # noqa: N815 - the file's name
    kind: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: RuleFile = RuleFile()


def load_rules_or_resource(text: str, source: str) -> list[RuleGroup]:
    """As ``load_rules``; also of a Kubernetes resource of the kind PrometheusRule.

    Raises:
        ConfigError: file, line and fault of everything that is wrong.
    """
    if not _RESOURCE.search(text):
        return load_rules(text, source)
    groups = load(text, source, _Resource).spec.groups
    return [group.model_copy(update={"file": source}) for group in groups]


def duplicates(groups: Sequence[RuleGroup]) -> list[tuple[Rule, dict[str, str], int]]:
    """Rules that have the name and labels of another, with how many there are."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Rule]] = {}
    for group in groups:
        for rule in group.rules:
            key = rule.name, tuple(sorted(group.labels_of(rule).items()))
            found.setdefault(key, []).append(rule)
    return [(same[0], dict(key[1]), len(same)) for key, same in found.items() if len(same) > 1]


def _chosen(value: object) -> object:
    if isinstance(value, bool):
        return ("all",) if value else ()
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    return () if value in (["none"], ("none",)) else value


class RulesSettings(Section):
    """How rules are evaluated."""

    external_labels: dict[str, str] = Field(
        default_factory=dict,
        description="What `$externalLabels` holds in the templates of labels and annotations.",
    )

    evaluation_interval: Duration = Field(
        default=60.0, gt=0, description="For groups that say no interval of their own."
    )
    defaults: Annotated[tuple[str, ...], BeforeValidator(_chosen)] = Field(
        default=("all",),
        description="Which of the shipped rule files are evaluated: `all`, `none`, or their names: "
        "`host`, `http`, … as they are called in `config/rules`. What a file reads and nobody "
        "sends costs next to nothing.",
    )
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
