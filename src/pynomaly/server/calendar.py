"""Wires the calendar: events in the records, and the holidays of the configuration."""

from pynomaly.calendar.service import Calendar
from pynomaly.server.backends import Site
from pynomaly.storage.records import Records

_DAY = 86_400.0


async def keep_calendar(site: Site, records: Records) -> Calendar:
    """Take up the events that are kept, and forget them when their retention is over."""
    calendar = Calendar(records, site.clock, site.configuration.calendar, bus=site.bus)
    await calendar.start()
    site.undo.push_async_callback(calendar.close)
    site.scheduler.every("calendar retention", _DAY, calendar.collect_garbage)
    return calendar
