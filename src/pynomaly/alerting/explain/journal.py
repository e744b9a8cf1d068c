"""Writes down when an alert begins or ceases to be held back."""

from collections.abc import Mapping
from typing import Any

from pynomaly.alerting.dispatch.group import Group
from pynomaly.alerting.explain import repository
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.clock import Clock
from pynomaly.storage.records import RecordsError
from pynomaly.storage.records.group_commit import GroupCommit

_MOST_WAITING = 100_000
"""Rows kept for a database that is away; more are not worth the memory."""

_Key = tuple[str, str]


class VerdictJournal:
    """Compares each passage of a group with the one before; only changes are written."""

    def __init__(self, commits: GroupCommit, clock: Clock, *, retention: float) -> None:
        self._commits = commits
        self._clock = clock
        self._retention = retention
        self._held: dict[_Key, Mapping[str, Verdict]] = {}
        self._rows: list[dict[str, Any]] = []

    def looked(self, group: Group) -> None:
        """A group went through the pipeline."""
        if group.trace is None:
            return
        key = (group.route.id, group.key)
        before, held = self._held.get(key, {}), group.trace.held
        for fingerprint, verdict in held.items():
            if before.get(fingerprint) != verdict:
                self._add(group, fingerprint, verdict)
        for fingerprint in before.keys() - held.keys():
            if fingerprint in group.alerts:
                self._add(group, fingerprint, Verdict("", "no longer held back"))
        if held:
            self._held[key] = held
        else:
            self._held.pop(key, None)

    async def maintain(self, _: float = 0.0) -> None:
        """Write what happened; run it every few seconds.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            await self._commits.write(lambda session: repository.add(session, rows))
        except RecordsError:
            self._rows = [*rows, *self._rows][-_MOST_WAITING:]
            raise

    async def prune(self, _: float = 0.0) -> None:
        """Forget what is older than the retention; run it once an hour or so.

        Raises:
            RecordsError: the database refused it or is away.
        """
        oldest = self._clock.now() - self._retention
        await self._commits.write(lambda session: repository.delete(session, oldest))

    def _add(self, group: Group, fingerprint: str, verdict: Verdict) -> None:
        assert group.trace is not None
        self._rows.append(
            {
                "at": group.trace.at,
                "fingerprint": fingerprint,
                "receiver": group.route.receiver,
                "route": group.route.id,
                "group_key": group.key,
                "stage": verdict.stage,
                "reason": verdict.reason,
                "by": list(verdict.by),
            }
        )
