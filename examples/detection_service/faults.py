"""Faults that can be switched on: what each does, and the switchboard.

All of them are bounded, and all of them end: what they took is given back.
"""

import json
import logging
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from detection_service.archive import Archive
from detection_service.database import Database
from detection_service.plant import SPREAD, Readings

_log = logging.getLogger(__name__)

TICK = 0.25
"""Seconds between two steps of a fault that is on."""

MEGABYTE = 1 << 20


class Fault(Protocol):
    """Something that goes wrong."""

    says: str
    """What it does, for people."""

    def step(self) -> None:
        """Go wrong for the next tick; called at once when it is switched on, then every tick."""

    def end(self) -> None:
        """Give back what it took; all is well again."""


class SlowDatabase:
    """Each query waits, and so the pool of connections runs out."""

    says = "each query of the database takes 0.4 s longer"

    def __init__(self, database: Database, seconds: float = 0.4) -> None:
        self._database, self._seconds = database, seconds

    def step(self) -> None:
        """Slow the database down."""
        self._database.delay = self._seconds

    def end(self) -> None:
        """As fast as before."""
        self._database.delay = 0.0


class Broken(RuntimeError):
    """What requests fail with during the burst of errors."""


class ErrorBurst:
    """A part of the requests fails."""

    says = "two of five requests fail with status 500"

    def __init__(self, share: float = 0.4) -> None:
        self._share, self._on = share, False

    def step(self) -> None:
        """Begin."""
        self._on = True

    def end(self) -> None:
        """No more."""
        self._on = False

    def perhaps_fail(self) -> None:
        """For each request; raises Broken for a share of them while the fault is on."""
        if self._on and random.random() < self._share:
            raise Broken("the scoring back end does not answer")


class MemoryLeak:
    """Memory is taken and kept, up to a bound."""

    says = "memory grows by 6 MB a second, to 360 MB at most"

    def __init__(self, per_second: int = 6 * MEGABYTE, most: int = 360 * MEGABYTE) -> None:
        self._piece, self._most = int(per_second * TICK), most
        self._kept: list[bytearray] = []

    def step(self) -> None:
        """Leak some."""
        if len(self._kept) * self._piece < self._most:
            self._kept.append(bytearray(os.urandom(1) * self._piece))

    def end(self) -> None:
        """Free it."""
        self._kept.clear()


class DiskFilling:
    """A file grows in the archive's folder, until the archive's room is used up."""

    says = "a file fills the archive's folder by 2 MB a second, within the room that it has"

    def __init__(self, archive: Archive, per_second: int = 2 * MEGABYTE) -> None:
        self._archive, self._piece = archive, int(per_second * TICK)
        self._file = archive.folder / "core.dump"

    def step(self) -> None:
        """Write some."""
        size = min(self._piece, self._archive.room - self._archive.used())
        if size > 0:
            with self._file.open("ab") as file:
                file.write(bytes(size))

    def end(self) -> None:
        """Delete the file."""
        self._file.unlink(missing_ok=True)


class BruteForce:
    """Somebody guesses passwords at the service's own door."""

    says = "twelve logins a second with guessed passwords"

    def __init__(self, login_url: str, per_second: int = 12) -> None:
        self._url, self._tries = login_url, round(per_second * TICK)

    def step(self) -> None:
        """Guess a few times."""
        for _ in range(self._tries):
            guess = {"user": random.choice(("admin", "root", "oracle")), "password": "letmein"}
            request = urllib.request.Request(
                self._url,
                data=json.dumps(guess).encode(),
                headers={"Content-Type": "application/json"},
            )
            try:
                urllib.request.urlopen(request, timeout=5).close()
            except urllib.error.HTTPError as error:
                error.close()  # refused, as it should be
            except OSError as error:
                _log.info("a guessed login was not answered: %s", error)

    def end(self) -> None:
        """Give up."""


class ModelDrift:
    """Sensors lose their calibration: readings are no longer what the model was trained on."""

    says = "every sensor reads two standard deviations too high"

    def __init__(self, deviations: float = 2.0) -> None:
        self._offset, self._on = deviations * SPREAD, False

    def step(self) -> None:
        """Begin."""
        self._on = True

    def end(self) -> None:
        """Calibrated again."""
        self._on = False

    def sensed(self, rows: Readings) -> Readings:
        """The readings as the sensors give them."""
        shifted: Readings = rows + self._offset
        return shifted if self._on else rows


class Crash:
    """The process dies, and does so again each time it was started anew."""

    says = "the process dies every eight seconds"

    STATUS = 70

    def __init__(self, seconds: float = 8.0) -> None:
        self._seconds = seconds
        self._at: float | None = None

    def step(self) -> None:
        """Die, but only after some work."""
        self._at = self._at or time.monotonic() + self._seconds
        if time.monotonic() >= self._at:
            _log.error("the process dies, as it was asked to")
            os._exit(self.STATUS)

    def end(self) -> None:
        """Live."""
        self._at = None


class NoSuchFault(ValueError):
    """There is no fault of this name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """When a fault is on, in Unix time."""

    begins: float
    ends: float


class Switchboard:
    """Switches faults on and off, each by a plan of its own; plans outlive a crash.

    ``run`` does it in a thread; ``tick`` is one look at the clock.
    """

    def __init__(
        self,
        faults: Mapping[str, Fault],
        file: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = faults
        self._file, self._now = file, now
        self._lock = threading.Lock()
        self._plans = self._remembered()
        self._on: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._thread.start()

    def close(self) -> None:
        """End every fault and forget its plan."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for name in list(self.faults):
            self.cancel(name)
        self.tick()

    def plan(self, name: str, after: float, lasts: float) -> Plan:
        """Switch a fault on after so many seconds, and off when it has lasted so many.

        Raises NoSuchFault.
        """
        self._check(name)
        begins = self._now() + after
        with self._lock:
            self._plans[name] = made = Plan(begins, begins + lasts)
            self._remember()
        return made

    def cancel(self, name: str) -> None:
        """Switch a fault off, and forget its plan; raises NoSuchFault."""
        self._check(name)
        with self._lock:
            self._plans.pop(name, None)
            self._remember()

    def is_on(self, name: str) -> bool:
        """Whether a fault is on now."""
        return name in self._on

    def planned(self, name: str) -> Plan | None:
        """When a fault is on, unless it is over or was never planned."""
        return self._plans.get(name)

    def tick(self) -> None:
        """Let each fault be as planned."""
        now = self._now()
        for name, fault in self.faults.items():
            plan = self._plans.get(name)
            if plan is not None and plan.ends <= now:
                self.cancel(name)
                plan = None
            if plan is not None and plan.begins <= now:
                if name not in self._on:
                    _log.warning("fault %s is on: %s", name, fault.says)
                self._on.add(name)
                fault.step()
            elif name in self._on:
                self._on.discard(name)
                fault.end()
                _log.warning("fault %s is off", name)

    def _check(self, name: str) -> None:
        if name not in self.faults:
            raise NoSuchFault(f"{name!r} is none of {', '.join(self.faults)}")

    def _run(self) -> None:
        while not self._stop.wait(TICK):
            try:
                self.tick()
            except Exception:  # noqa: BLE001 - one fault that fails must not keep the others on
                _log.exception("a fault could not be switched")

    def _remembered(self) -> dict[str, Plan]:
        if not self._file.exists():
            return {}
        known = json.loads(self._file.read_text("utf-8"))
        return {name: Plan(**plan) for name, plan in known.items() if name in self.faults}

    def _remember(self) -> None:
        text = json.dumps({name: asdict(plan) for name, plan in self._plans.items()})
        fresh = self._file.with_suffix(".new")
        fresh.write_text(text, "utf-8")
        fresh.replace(self._file)


def parse_schedule(text: str) -> tuple[str, float, float]:
    """A fault with its plan as one writes it on the command line: ``NAME@AFTER+LASTS``, in seconds.

    >>> parse_schedule("slow-database@60+30")
    ('slow-database', 60.0, 30.0)

    Raises ValueError.
    """
    name, _, times = text.partition("@")
    after, _, lasts = (times or "0").partition("+")
    try:
        return name, float(after), float(lasts or "60")
    except ValueError:
        raise ValueError(f"{text!r} is not NAME@AFTER+LASTS, such as crash@60+30") from None
