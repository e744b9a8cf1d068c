"""The rules that hold: those of the configuration, and those that people made."""

import asyncio
import secrets
from collections.abc import Callable, Sequence

import xxhash

from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.rules.repository import KeptRule, RuleRepository
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError

_MOST = 1000


class NoSuchRule(PynomalyError):
    """There is none of this id."""

    status = 404
    kind = "not_found"

    def __init__(self, rule_id: str) -> None:
        super().__init__(
            f"There is no anomaly rule {rule_id}.", hint="`pynomaly detect rules list` shows all."
        )


class RuleIsConfigured(PynomalyError):
    """It stands in the configuration: it is changed there, not here."""

    status = 409
    kind = "conflict"

    def __init__(self, rule_id: str) -> None:
        super().__init__(
            f"The rule {rule_id} comes from components.anomaly_detection.rules.",
            hint="Change it in the configuration.",
        )


class TooManyRules(PynomalyError):
    """As many are kept as there may be."""

    status = 409
    kind = "conflict"

    def __init__(self) -> None:
        super().__init__(f"There are {_MOST} anomaly rules already.", hint="Remove some.")


class AnomalyRules:
    """Keeps rules and applies them at once; ``apply`` is given all that hold, when they change."""

    def __init__(
        self,
        configured: Sequence[AnomalyRule],
        kept: RuleRepository,
        clock: Clock,
        apply: Callable[[Sequence[AnomalyRule]], None],
        matched: Callable[[], Sequence[int]] = tuple,
    ) -> None:
        self._configured = [KeptRule(_name(rule), rule, created_by="") for rule in configured]
        self._kept = kept
        self._clock = clock
        self._apply = apply
        self._matched = matched

    async def configure(self, rules: Sequence[AnomalyRule]) -> None:
        """From now on these are the rules of the configuration; those that people made stay."""
        self._configured = [KeptRule(_name(rule), rule, created_by="") for rule in rules]
        await self.take_up()

    async def take_up(self) -> list[KeptRule]:
        """Apply them, and return them: those of the configuration first."""
        every = await self.all()
        self._apply([each.rule for each in every])
        return every

    async def all(self) -> list[KeptRule]:
        """Those of the configuration, then the others, the oldest first."""
        return [*self._configured, *await asyncio.to_thread(self._kept.all)]

    def matched(self) -> Sequence[int]:
        """How many series each of ``all`` matched when last looked at; empty if that is unknown."""
        return self._matched()

    async def add(self, rule: AnomalyRule, by: str = "") -> KeptRule:
        """Keep one more, which holds at once.

        Raises:
            TooManyRules: there are a thousand.
        """
        if len(await self.all()) >= _MOST:
            raise TooManyRules
        kept = KeptRule(secrets.token_hex(8), rule, self._clock.now(), by)
        await asyncio.to_thread(self._kept.add, kept)
        await self.take_up()
        return kept

    async def remove(self, rule_id: str) -> None:
        """Drop one, at once.

        Raises:
            NoSuchRule: there is none of this id.
            RuleIsConfigured: it is one of the configuration.
        """
        if any(each.id == rule_id for each in self._configured):
            raise RuleIsConfigured(rule_id)
        if not await asyncio.to_thread(self._kept.remove, rule_id):
            raise NoSuchRule(rule_id)
        await self.take_up()

    def is_configured(self, rule_id: str) -> bool:
        """Whether it is one of the configuration."""
        return any(each.id == rule_id for each in self._configured)


def _name(rule: AnomalyRule) -> str:
    return f"config-{xxhash.xxh32_hexdigest(rule.model_dump_json().encode())}"
