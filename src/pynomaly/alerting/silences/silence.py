"""A silence: which alerts are not told of, from when to when, why, and by whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pynomaly.alerting.silences.errors import BadSilence
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp, all_match


class SilenceState(StrEnum):
    """The states of a silence, in Alertmanager's words."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes the alerts that all ``matchers`` match. Times are epoch seconds.

    ``id`` is empty, and ``starts_at`` 0, in a silence that is to be created.
    """

    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    created_by: str = ""
    comment: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    updated_at: float = 0.0

    def state(self, now: float) -> SilenceState:
        """Where it stands at ``now``; the end itself does not belong to it."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now < self.ends_at else SilenceState.EXPIRED

    def matches(self, labels: Labels) -> bool:
        """Whether an alert of these labels is meant, whatever the time."""
        return all_match(self.matchers, labels)

    def check(self) -> None:
        """Refuse what Alertmanager's ``validateSilence`` refuses.

        Raises:
            BadSilence: no matcher, one without a label name, only such as match everything, or
                an end before the start.
        """
        if not self.matchers:
            raise BadSilence("invalid silence: at least one matcher required")
        for position, matcher in enumerate(self.matchers):
            if not matcher.name:
                raise BadSilence(
                    f'invalid silence: invalid label matcher {position}: invalid label name ""'
                )
        if all(_matches_empty(matcher) for matcher in self.matchers):
            raise BadSilence(
                "invalid silence: at least one matcher must not match the empty string",
                hint="As it is, it would silence every alert.",
            )
        if self.ends_at <= 0:
            raise BadSilence("invalid silence: invalid zero end timestamp")
        if self.ends_at < self.starts_at:
            raise BadSilence("invalid silence: end time must not be before start time")

    def can_become(self, other: "Silence", now: float) -> bool:
        """Whether it may be changed into ``other`` without rewriting what was silenced before.

        As Alertmanager's ``canUpdate``: the matchers stay; of an active silence the start (to the
        second) stays and the end is not past; a pending one does not begin in the past; what has
        expired does not come back.
        """
        if self.matchers != other.matchers:
            return False
        match self.state(now):
            case SilenceState.ACTIVE:
                return int(self.starts_at) == int(other.starts_at) and other.ends_at >= now
            case SilenceState.PENDING:
                return other.starts_at >= now
            case SilenceState.EXPIRED:
                return False


def _matches_empty(matcher: Matcher) -> bool:
    # A negative matcher says something even where it matches an absent label.
    return matcher.op in (MatchOp.EQUAL, MatchOp.REGEX) and matcher.matches("")
