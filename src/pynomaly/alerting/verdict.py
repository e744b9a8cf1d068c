"""What the stages decided, and why: the material of every explanation."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stage holds an alert back. ``by``: who is to blame, as ids, fingerprints or names."""

    stage: str
    reason: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Telling:
    """What one integration did with the alerts that came through.

    ``told``: whether a notification went out, or should have; ``notification_id`` is then its.
    """

    integration: str
    reason: str
    told: bool = False
    failed: bool = False
    notification_id: str = ""


@dataclass(slots=True, eq=False)
class Trace:
    """One passage of a group through the pipeline. ``held``: by fingerprint.

    ``waiting``: alerts whose end is told later, so that their group must not forget them.
    """

    at: float = 0.0
    held: dict[str, Verdict] = field(default_factory=dict)
    tellings: list[Telling] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)

    def hold(self, fingerprints: Sequence[str], verdict: Verdict) -> None:
        """One verdict on several alerts."""
        self.held.update(dict.fromkeys(fingerprints, verdict))

    def wait(self, fingerprint: str, verdict: Verdict) -> None:
        """The end of an alert is told later; until then it is told as firing."""
        self.held[fingerprint] = verdict
        self.waiting.add(fingerprint)
