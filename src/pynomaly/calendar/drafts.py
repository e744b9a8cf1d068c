"""Events as people and programs send them."""

import math
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pynomaly.calendar.errors import BadEvent
from pynomaly.calendar.events import Event, EventKind, with_defaults
from pynomaly.calendar.matchers import parse_matchers
from pynomaly.calendar.recurrence import Recurrence, recurrence, zone_of
from pynomaly.model.duration import parse_duration
from pynomaly.model.times import parse_moment

Moment = float | str
"""Epoch seconds, RFC 3339, ``now``, or ``30m`` for so long ago."""


class RecurrenceDraft(BaseModel):
    """When it comes again."""

    model_config = ConfigDict(extra="forbid")

    rule: str = Field(
        description="An RRULE of RFC 5545 such as `FREQ=WEEKLY;BYDAY=SU`; or `daily`, `weekdays`, "
        "`weekly`, `monthly`, `yearly`."
    )
    time_zone: str = Field(default="", description="Whose clocks count [`calendar.time_zone`].")
    until: Moment | None = Field(default=None, description="When it is over for good.")


def _rule_alone(value: object) -> object:
    return {"rule": value} if isinstance(value, str) else value


def _equalities(value: object) -> object:
    """``{"service": "checkout"}`` and one text are taken for a list of matchers, too."""
    if isinstance(value, dict):
        return [f"{name}={_quoted(text)}" for name, text in value.items()]
    return [value] if isinstance(value, str) else value


def _quoted(text: object) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class EventDraft(BaseModel):
    """An event to be kept. What is not given is as its kind usually is."""

    model_config = ConfigDict(extra="forbid")

    kind: EventKind = EventKind.OTHER
    title: str = Field(description="What people see: `checkout 1.42`.")
    text: str = ""
    link: str = Field(default="", description="Where more of it is: the run of the pipeline.")
    starts_at: Moment = Field(default="now", description="When it begins.")
    ends_at: Moment | None = Field(default=None, description="When it ends, or `duration`.")
    duration: str = Field(default="", description="How long it lasts: `30m`.")
    matchers: Annotated[tuple[str, ...], BeforeValidator(_equalities)] = Field(
        default=(),
        description='Which series and alerts it concerns: `service="checkout"`; all of them '
        "unless given.",
    )
    learn: bool | None = Field(
        default=None, description="Whether what is usual is learnt meanwhile."
    )
    alarm: bool | None = Field(default=None, description="Whether anomalies are told meanwhile.")
    recurrence: Annotated[RecurrenceDraft | None, BeforeValidator(_rule_alone)] = None
    created_by: str = Field(default="", description="Who did it, if not who sends it.")

    def event(self, now: float, time_zone: str, created_by: str = "") -> Event:
        """The event that it describes. ``time_zone``: that of the calendar.

        Times without a zone are those of the recurrence, or of the calendar.

        Raises:
            BadEvent: a time, a duration, a matcher or a rule cannot be read.
        """
        again = self._recurrence(now, time_zone)
        zone = zone_of(again.time_zone if again else time_zone)
        if self.ends_at is not None and self.duration:
            raise BadEvent("ends_at and duration are both given; give one of them")
        quiet = self.kind.is_quiet
        begin = _moment("starts_at", self.starts_at, now, zone)
        drafted = Event(
            kind=self.kind,
            title=self.title,
            starts_at=begin,
            ends_at=0.0 if self.ends_at is None else _moment("ends_at", self.ends_at, now, zone),
            text=self.text,
            link=self.link,
            matchers=parse_matchers(self.matchers),
            learn=not quiet if self.learn is None else self.learn,
            alarm=not quiet if self.alarm is None else self.alarm,
            recurrence=again,
            created_by=self.created_by or created_by,
        )
        return with_defaults(drafted, now=now, duration=self._duration())

    def _duration(self) -> float | None:
        try:
            return parse_duration(self.duration) if self.duration else None
        except ValueError as error:
            raise BadEvent(f"duration: {error}") from None

    def _recurrence(self, now: float, time_zone: str) -> Recurrence | None:
        given = self.recurrence
        if given is None:
            return None
        name = given.time_zone or time_zone
        until = math.inf
        if given.until is not None:
            until = _moment("recurrence.until", given.until, now, zone_of(name))
        return recurrence(given.rule, name, until)


def _moment(name: str, given: Moment, now: float, zone: ZoneInfo) -> float:
    if not isinstance(given, str):
        return float(given)
    try:
        moment = datetime.fromisoformat(given.strip())
    except ValueError:
        pass
    else:
        if moment.tzinfo is None:
            return moment.replace(tzinfo=zone).timestamp()
    try:
        return parse_moment(given, now)
    except ValueError as error:
        raise BadEvent(f"{name}: {error}") from None
