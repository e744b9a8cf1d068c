"""The holidays of the configuration, as events of whole days."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pynomaly.calendar.config import CalendarSettings
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.holidays import public_holidays

_ID = "holiday-"
_YEARS = 50
"""No more are looked up at once."""


class DaysOff:
    """Public holidays and one's own: from midnight to midnight by the clocks of the zone."""

    def __init__(self, settings: CalendarSettings) -> None:
        self._settings = settings
        self._zone = ZoneInfo(settings.time_zone)
        self._years: dict[int, dict[date, str]] = {}
        self._any = bool(settings.country or settings.holidays)

    def between(self, since: float, until: float) -> Iterator[Occurrence]:
        """Those that lie at least partly in ``[since, until]``, in order."""
        if not self._any or until < since:
            return
        first, last = self._day(since), self._day(until)
        for year in range(first.year, min(last.year, first.year + _YEARS) + 1):
            for day, name in sorted(self._of_year(year).items()):
                if first <= day <= last:
                    yield self._occurrence(day, name)

    def at(self, at: float) -> Occurrence | None:
        """The one that it is at a time, if it is one."""
        if not self._any:
            return None
        day = self._day(at)
        name = self._of_year(day.year).get(day)
        return None if name is None else self._occurrence(day, name)

    def by_id(self, event_id: str) -> Event | None:
        """The event of an id that ``between`` gave."""
        try:
            day = date.fromisoformat(event_id.removeprefix(_ID))
        except ValueError:
            return None
        name = self._of_year(day.year).get(day) if self._any else None
        return None if name is None else self._occurrence(day, name).event

    def _occurrence(self, day: date, name: str) -> Occurrence:
        begin, end = self._midnight(day), self._midnight(day + timedelta(days=1))
        event = Event(
            EventKind.HOLIDAY,
            name,
            begin,
            end,
            learn=self._settings.learn_on_holidays,
            alarm=self._settings.alarm_on_holidays,
            id=f"{_ID}{day.isoformat()}",
            configured=True,
        )
        return Occurrence(event, begin, end)

    def _of_year(self, year: int) -> dict[date, str]:
        if year not in self._years:
            self._years[year] = self._found(year)
        return self._years[year]

    def _found(self, year: int) -> dict[date, str]:
        settings = self._settings
        found: dict[date, str] = {}
        if settings.country:
            found.update(public_holidays(settings.country, settings.subdivision, year))
        for own in settings.holidays:
            if day := _in_year(own.date, year):
                found[day] = own.name
        for text in settings.working_days:
            if day := _in_year(text, year):
                found.pop(day, None)
        return found

    def _day(self, at: float) -> date:
        latest = datetime(3000, 12, 31, tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(min(max(at, 0.0), latest), self._zone).date()

    def _midnight(self, day: date) -> float:
        return datetime.combine(day, time(), self._zone).timestamp()


def _in_year(text: str, year: int) -> date | None:
    """A day of the configuration in a year, if it has it: 29 February may be missing."""
    try:
        day = date.fromisoformat(text if len(text) > len("12-24") else f"{year}-{text}")
    except ValueError:
        return None
    return day if day.year == year else None
