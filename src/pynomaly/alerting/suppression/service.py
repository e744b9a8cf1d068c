"""The suppression rules in force, and what they hold back.

Rules stand in the configuration, or are given by the API and stored. What a rule lets through is
written down before it is told, so that a restart does not let more through.
"""

import asyncio
import logging
from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from pynomaly.alerting.suppression import repository
from pynomaly.alerting.suppression.counts import Candidate, Counts, Suppressed
from pynomaly.alerting.suppression.errors import NoSuchSuppressionRule, SuppressionRuleOfFile
from pynomaly.alerting.suppression.repository import Passed, StoredRule
from pynomaly.alerting.suppression.rule import SuppressionRule, SuppressionRuleSettings, read_rule
from pynomaly.model.clock import Clock
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Records, RecordsError
from pynomaly.storage.records.group_commit import GroupCommit

log = logging.getLogger(__name__)

_RULES = Gauge(
    "pynomaly_alerting_suppression_rules", "Suppression rules in force.", registry=REGISTRY
)
_HELD = Counter(
    "pynomaly_alerting_suppressed_firings",
    "Firings of alerts that a suppression rule held back from a receiver, by rule.",
    ["rule"],
    registry=REGISTRY,
)


class Suppression:
    """Says what rules hold back, and remembers what they let through.

    ``of_file``: the rules of the configuration, which come before a stored one of the same name.
    """

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        of_file: Sequence[SuppressionRuleSettings] = (),
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._of_file = _rules_of_file(of_file)
        self._stored: dict[str, SuppressionRule] = {}
        self._counts = Counts()
        self._held: set[tuple[str, str, float]] = set()
        self._unwritten: list[Passed] = []

    async def start(self) -> None:
        """Take up what is stored.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        for row in await asyncio.to_thread(repository.load_rules, self._records):
            settings = read_rule({"name": row.name, "conditions": row.conditions})
            self._stored[row.name] = SuppressionRule.of(
                settings, created_by=row.created_by, created_at=row.created_at
            )
        self._counts = Counts(await asyncio.to_thread(repository.load_passed, self._records))
        self._count()

    def configure(self, of_file: Sequence[SuppressionRuleSettings]) -> None:
        """From now on these are the rules of the configuration; those that are stored stay.

        What a rule has let through counts on while there is one of its name.
        """
        self._of_file = _rules_of_file(of_file)
        self._count()

    def rules(self) -> list[SuppressionRule]:
        """Those in force: of the configuration, then those stored, each in its order."""
        return list((self._of_file | self._stored | self._of_file).values())

    async def add(self, settings: SuppressionRuleSettings, created_by: str) -> SuppressionRule:
        """Keep a rule, in place of the stored one of its name.

        Raises:
            SuppressionRuleOfFile: the configuration has one of its name.
            RecordsError: it could not be stored; nothing has changed.
        """
        self._check_not_of_file(settings.name)
        rule = SuppressionRule.of(settings, created_by=created_by, created_at=self._clock.now())
        row = StoredRule(rule.name, dict(rule.conditions or {}), created_by, rule.created_at)
        await self._commits.write(lambda session: repository.save_rule(session, row))
        self._stored[rule.name] = rule
        self._count()
        return rule

    async def remove(self, name: str) -> SuppressionRule:
        """Forget a stored rule; what it holds back is told at the next look at its group.

        Raises:
            SuppressionRuleOfFile: it stands in the configuration.
            NoSuchSuppressionRule: there is none of this name.
            RecordsError: the database is away; nothing has changed.
        """
        self._check_not_of_file(name)
        rule = self._stored.get(name)
        if rule is None:
            known = ", ".join(rule.name for rule in self.rules()) or "none"
            raise NoSuchSuppressionRule(
                f"No suppression rule is called {name!r}.", hint=f"There is {known}."
            )
        await self._commits.write(lambda session: repository.delete_rule(session, name))
        del self._stored[name]
        self._counts.forget_rule(name)
        self._count()
        return rule

    def held(self, candidate: Candidate) -> Suppressed | None:
        """The rule that would hold an alert back now; None if none does. Changes nothing."""
        found = self._counts.look(self.rules(), candidate, self._clock.now())
        return found if isinstance(found, Suppressed) else None

    async def pass_or_hold(self, candidates: Sequence[Candidate]) -> dict[str, Suppressed]:
        """Let alerts through in this order, and count them; returns what is held, by fingerprint.

        A database that is away holds nothing up: what it did not take is written later.
        """
        rules, now = self.rules(), self._clock.now()
        held: dict[str, Suppressed] = {}
        counted: list[Passed] = []
        for candidate in candidates if rules else ():
            found = self._counts.look(rules, candidate, now)
            if isinstance(found, Suppressed):
                held[candidate.fingerprint] = found
                self._count_held(candidate, found)
                continue
            for passed in found:
                self._counts.add(passed)
            counted += found
        if counted:
            await self._write(counted)
        return held

    async def maintain(self, _: float = 0.0) -> None:
        """Write what is not written yet, and forget what counts no longer.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        if unwritten := self._unwritten:
            await self._commits.write(lambda session: repository.add_passed(session, unwritten))
            self._unwritten = self._unwritten[len(unwritten) :]
        old = self._counts.forget(self.rules(), self._clock.now())
        if old:
            await self._commits.write(lambda session: repository.delete_passed(session, old))

    async def _write(self, counted: list[Passed]) -> None:
        try:
            await self._commits.write(lambda session: repository.add_passed(session, counted))
        except RecordsError as error:
            self._unwritten = [*self._unwritten, *counted]
            log.warning("what suppression rules let through is not stored yet: %s", error)

    def _count_held(self, candidate: Candidate, found: Suppressed) -> None:
        """Once for each firing and receiver, however often its group is looked at."""
        one = (candidate.receiver, candidate.fingerprint, candidate.started_at)
        if one not in self._held:
            self._held.add(one)
            _HELD.labels(found.rule.name).inc()

    def forget(self, fingerprints: Sequence[str]) -> None:
        """These alerts are no more."""
        gone = set(fingerprints)
        self._held = {one for one in self._held if one[1] not in gone} if gone else self._held

    def _check_not_of_file(self, name: str) -> None:
        if name in self._of_file:
            raise SuppressionRuleOfFile(
                f"The suppression rule {name!r} stands in the configuration.",
                hint="Change it under alerting.suppression_rules, and reload the configuration.",
            )

    def _count(self) -> None:
        rules = self.rules()
        _RULES.set(len(rules))
        for rule in rules:
            _HELD.labels(rule.name)


def _rules_of_file(settings: Sequence[SuppressionRuleSettings]) -> dict[str, SuppressionRule]:
    return {each.name: SuppressionRule.of(each, source="file") for each in settings}
