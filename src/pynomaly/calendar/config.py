"""Settings of the calendar: its time zone, its holidays, and how long events are kept."""

import re
import zoneinfo
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pynomaly.calendar import holidays
from pynomaly.model.document import Section
from pynomaly.model.duration import Duration

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

_EVERY_YEAR = re.compile(r"(\d\d)-(\d\d)")


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; write it like Europe/Berlin") from error
    return name


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value  # as YAML reads 2026-12-24


def _day(value: str) -> str:
    found = _EVERY_YEAR.fullmatch(value)
    try:
        date.fromisoformat(f"2000-{value}" if found else value)  # 2000 has a 29 February
    except ValueError as error:
        raise ValueError("a date such as 2026-12-24, or 12-24 for every year, is due") from error
    return value


Day = Annotated[str, BeforeValidator(_text), AfterValidator(_day)]


class OwnHoliday(Section):
    """A day off of one's own."""

    date: Day = Field(description="`2026-12-24`, or `12-24` for every year.")
    name: str = Field(min_length=1, description="What it is called.")


class CalendarSettings(Section):
    """Whose clocks and holidays count, and how long events are kept."""

    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC",
        description="The zone in which days begin, and whose clocks recurring events follow that "
        "name none, such as `Europe/Berlin`.",
    )
    country: str = Field(
        default="",
        description="The country whose public holidays count, by its ISO code: `DE`, `US`. Empty: "
        "none.",
    )
    subdivision: str = Field(
        default="", description="Its state or province, by the ISO code without the country: `BY`."
    )
    holidays: tuple[OwnHoliday, ...] = Field(default=(), description="Further days off.")
    working_days: tuple[Day, ...] = Field(
        default=(), description="Days that are no holidays here, although the country has them."
    )
    holiday_like: Weekday = Field(
        default="sunday", description="The day of the week whose usual values a holiday has."
    )
    learn_on_holidays: bool = Field(
        default=True, description="Whether what is usual is learnt on configured holidays, too."
    )
    alarm_on_holidays: bool = Field(
        default=True, description="Whether anomalies are told on configured holidays, too."
    )
    retention: Annotated[Duration, Field(ge=3600)] = Field(
        default=400 * 86_400.0, description="How long events are kept after their end."
    )
    max_events: int = Field(
        default=100_000, ge=1, description="The most events that are kept; each takes 1 KB."
    )

    @model_validator(mode="after")
    def _known_country(self) -> "CalendarSettings":
        if self.subdivision and not self.country:
            raise ValueError(f"subdivision {self.subdivision} is given without its country")
        if self.country:
            holidays.check_country(self.country, self.subdivision)
        return self
