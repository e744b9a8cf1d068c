"""Windows of maintenance: while one lasts, nobody is told of the alerts that it concerns."""

from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import Protocol

from pynomaly.alerting.silences.index import demanded
from pynomaly.alerting.verdict import Verdict
from pynomaly.calendar.events import EventKind, Occurrence
from pynomaly.model.labels import Labels, service_of
from pynomaly.model.matcher import MatchOp
from pynomaly.model.times import utc

STAGE = "maintenance"
WATCHDOG = "Watchdog"
"""The alert that always fires by default, so that its absence is noticed outside."""

_NAME = "alertname"
_MAINTENANCE = frozenset({EventKind.MAINTENANCE})
_begin = attrgetter("starts_at", "event.id")
_AHEAD = 60.0
"""Seconds for which the calendar is asked at once."""


class Windows(Protocol):
    """Where the windows come from: the calendar."""

    version: int

    def between(
        self, since: float, until: float, *, kinds: Collection[EventKind] = ()
    ) -> Sequence[Occurrence]:
        """What lies at least partly in ``[since, until]`` (epoch seconds)."""
        ...


class NoWindows:
    """Nothing is ever in maintenance."""

    version = 0

    def between(
        self, since: float, until: float, *, kinds: Collection[EventKind] = ()
    ) -> Sequence[Occurrence]:
        """None."""
        return ()


class MaintenanceWindows:
    """Says which windows hold an alert back.

    ``spared``: names of alerts that prove by firing that alerting works. A window holds them only
    if one of its matchers is of ``alertname`` and says what it is, not what it is not.
    """

    def __init__(
        self, windows: Windows | None = None, spared: Collection[str] = (WATCHDOG,)
    ) -> None:
        self._windows = windows or NoWindows()
        self._spared = frozenset(spared)
        self._known = _Shelves(())
        self._version = -1
        self._from = self._until = 0.0

    def windows(self, labels: Labels, at: float) -> list[Occurrence]:
        """Those that hold an alert of these labels at a time, the first to begin first."""
        known = self._around(at)
        if known.empty:
            return []
        found = {id(each): each for each in known.candidates(labels) if each.active(at)}
        held = [each for each in found.values() if holds(each, labels, self._spared)]
        return sorted(held, key=_begin)

    def between(self, since: float, until: float) -> Sequence[Occurrence]:
        """Every window that lies at least partly in ``[since, until]``."""
        return self._windows.between(since, until, kinds=_MAINTENANCE)

    def holds(self, window: Occurrence, labels: Labels) -> bool:
        """Whether a window holds an alert of these labels while it lasts."""
        return holds(window, labels, self._spared)

    def verdict(self, labels: Labels, at: float) -> Verdict | None:
        """Why an alert of these labels is held back; None if it is not."""
        return verdict_of(self.windows(labels, at))

    def _around(self, at: float) -> "_Shelves":
        """What lasts at this time, and a little more; the calendar is asked once a minute."""
        if self._version != self._windows.version or not self._from <= at < self._until:
            # The version first: what changes while it is asked is asked for again.
            self._version = self._windows.version
            self._known = _Shelves(self.between(at, at + _AHEAD))
            self._from, self._until = at, at + _AHEAD
        return self._known


class _Shelves:
    """Windows by a label that alerts must have to be held by them, as far as there is one."""

    def __init__(self, windows: Sequence[Occurrence]) -> None:
        self._by_label: dict[tuple[str, str], list[Occurrence]] = {}
        self._others: list[Occurrence] = []
        for window in windows:
            pairs = demanded(window.event.matchers)
            for pair in pairs:
                self._by_label.setdefault(pair, []).append(window)
            if not pairs:
                self._others.append(window)

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not (self._by_label or self._others)

    def candidates(self, labels: Labels) -> Iterator[Occurrence]:
        """Every window that can hold an alert of these labels, and a few more."""
        yield from self._others
        if not self._by_label:
            return
        for pair in labels.pairs:
            yield from self._by_label.get(pair, ())
        # A matcher of ``service`` takes also what the product knows by another label.
        yield from self._by_label.get(("service", service_of(labels)), ())


def holds(window: Occurrence, labels: Labels, spared: Collection[str]) -> bool:
    """Whether a window concerns an alert of these labels, one of the ``spared`` names apart."""
    event = window.event
    if not event.concerns(labels):
        return False
    return labels.get(_NAME, "") not in spared or any(
        each.name == _NAME and each.op in (MatchOp.EQUAL, MatchOp.REGEX) for each in event.matchers
    )


def told_before(starts_at: float, windows: Sequence[Occurrence]) -> bool:
    """Whether an alert that began then was there before any of these windows held it.

    Who was told of it is told of its end, too. A window holds from its begin on, or since it was
    made or changed.
    """
    return all(starts_at < max(each.starts_at, each.event.updated_at) for each in windows)


def verdict_of(windows: Sequence[Occurrence]) -> Verdict | None:
    """The verdict of the windows that hold an alert; None if there are none."""
    if not windows:
        return None
    named = " and ".join(
        f'the maintenance window "{each.event.title}" until {utc(each.ends_at)}' for each in windows
    )
    return Verdict(STAGE, f"held by {named}", tuple(each.event.id for each in windows))
