"""The noise report as it is asked for from outside."""

import asyncio
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pynomaly.alerting.noise.control import NoiseControl
from pynomaly.alerting.noise.report import NoiseReport, noise_report
from pynomaly.model.clock import Clock
from pynomaly.model.errors import BadInput
from pynomaly.model.times import parse_moment
from pynomaly.storage.records import Records

_MOST = 1_000


class NoiseReports:
    """Makes reports, one at a time: each reads all firings of its range."""

    def __init__(self, control: NoiseControl, records: Records, clock: Clock) -> None:
        self._control = control
        self._records = records
        self._clock = clock
        self._turn = asyncio.Lock()

    async def report(
        self,
        since: str = "30d",
        until: str = "now",
        *,
        timezone: str = "UTC",
        name: str = "",
        limit: int = 50,
    ) -> NoiseReport:
        """Of the firings from one moment to another; of one rule if ``name`` says so.

        Raises:
            BadInput: a moment, the range, the time zone or the limit is none.
            RecordsError: the database does not answer.
        """
        now = self._clock.now()
        start, end = _moment("from", since, now), _moment("to", until, now)
        if end <= start:
            raise BadInput("the range ends before it begins")
        if not 0 < limit <= _MOST:
            raise BadInput(f"limit is {limit}; 1 to {_MOST} is expected")
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise BadInput(f"{timezone!r} is not a time zone such as Europe/Berlin") from error
        async with self._turn:
            await self._control.maintain()  # so that what has just happened is counted
            return await asyncio.to_thread(
                noise_report,
                self._records,
                start,
                end + 60.0,  # firings are found by the minute they began in
                timezone=timezone,
                name=name,
                limit=limit,
            )


def _moment(name: str, text: str, now: float) -> float:
    try:
        return max(parse_moment(text, now), 0.0)
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from error
