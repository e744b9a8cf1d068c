"""What lint has found on the rules, as pages are told it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pynomaly.rules.evaluate import RuleState
from pynomaly.rules.group import GroupRunner


@dataclass(frozen=True, slots=True)
class RuleNote:
    """A finding of lint on a rule; ``severity`` is ``error``, ``warning`` or ``note``.

    ``suggestion`` is what to write instead, ``proof`` a counter-example from stored series; each
    may be empty.
    """

    check: str
    severity: str
    message: str
    suggestion: str = ""
    proof: str = ""


RuleNotes = Callable[[GroupRunner, RuleState], Sequence[RuleNote]]


def no_notes(runner: GroupRunner, state: RuleState) -> Sequence[RuleNote]:
    """Nobody has looked."""
    return ()
