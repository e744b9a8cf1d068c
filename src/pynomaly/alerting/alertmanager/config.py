"""``alertmanager.yml`` as typed sections: the top of it, and the routes as they are written."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Self

from pydantic import Field, PrivateAttr, field_validator

from pynomaly.alerting.alertmanager.globals import GlobalConfig
from pynomaly.alerting.alertmanager.inhibition import InhibitRule, InhibitRuleConfig
from pynomaly.alerting.alertmanager.intervals import Intervals, NamedIntervals
from pynomaly.alerting.alertmanager.receivers import Receiver
from pynomaly.alerting.alertmanager.values import (
    ClassicLabelName,
    LabelName,
    MatchersLine,
    Regex,
)
from pynomaly.alerting.channels.fields import Text
from pynomaly.model.document import Section
from pynomaly.model.duration import Duration

ALL_LABELS = "..."
"""In ``group_by``: every label, so that no two alerts share a group."""


class RouteConfig(Section):
    """One node of the tree as it is written; what is not given comes from the node above."""

    receiver: Text = ""
    group_by: tuple[LabelName, ...] | None = None
    match: Mapping[ClassicLabelName, Text] = Field(default_factory=dict)
    match_re: Mapping[ClassicLabelName, Regex] = Field(default_factory=dict)
    matchers: tuple[MatchersLine, ...] = ()
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    continue_: bool = Field(default=False, alias="continue")
    routes: tuple["RouteConfig", ...] = ()
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    labels: Mapping[LabelName, Text] = Field(default_factory=dict)

    @field_validator("group_by")
    @classmethod
    def _no_label_twice(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        given = [name for name in names or () if name != ALL_LABELS]
        if given and ALL_LABELS in (names or ()):
            raise ValueError("'...' stands for all labels; it cannot be beside others")
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise ValueError(f"the label {twice[0]!r} is there twice")
        return names

    @field_validator("group_interval", "repeat_interval")
    @classmethod
    def _not_zero(cls, seconds: float | None) -> float | None:
        if seconds == 0:
            raise ValueError("it cannot be zero; give a duration such as 5m")
        return seconds


class AlertmanagerConfig(Section):
    """The whole file."""

    global_: GlobalConfig = Field(default=GlobalConfig(), alias="global")
    route: RouteConfig
    receivers: tuple[Receiver, ...] = ()
    inhibit_rules: tuple[InhibitRuleConfig, ...] = ()
    time_intervals: tuple[NamedIntervals, ...] = ()
    mute_time_intervals: tuple[NamedIntervals, ...] = ()
    templates: tuple[str, ...] = ()
    tracing: Mapping[str, Any] = Field(default_factory=dict)
    event_recorder: Mapping[str, Any] = Field(default_factory=dict)

    _written: Optional["AlertmanagerConfig"] = PrivateAttr(default=None)

    @property
    def written(self) -> "AlertmanagerConfig":
        """The same as it stands in the file, without what its parts have from elsewhere."""
        return self._written or self

    def completed(self, **changes: Any) -> Self:
        """With what its parts have from elsewhere; remembers how it was ``written``."""
        new = self.model_copy(update=changes)
        new._written = self
        return new

    @property
    def intervals(self) -> Intervals:
        """The intervals by name, those under the older key too."""
        return Intervals([*self.mute_time_intervals, *self.time_intervals])

    @property
    def rules_of_inhibition(self) -> tuple[InhibitRule, ...]:
        """``inhibit_rules`` with their older and newer matchers together."""
        return tuple(rule.rule() for rule in self.inhibit_rules)

    def receiver(self, name: str) -> Receiver:
        """The receiver of a name.

        Raises:
            KeyError: there is none.
        """
        for receiver in self.receivers:
            if receiver.name == name:
                return receiver
        raise KeyError(name)

    def walk(self) -> Iterator[tuple[tuple[str | int, ...], RouteConfig]]:
        """Every route with its place in the document, from the root on, depth first."""
        yield from _walk(("route",), self.route)


def _walk(
    place: tuple[str | int, ...], route: RouteConfig
) -> Iterator[tuple[tuple[str | int, ...], RouteConfig]]:
    yield place, route
    for index, child in enumerate(route.routes):
        yield from _walk((*place, "routes", index), child)
