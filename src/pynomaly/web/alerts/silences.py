"""Silences as the pages list them, and what one would hide."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pynomaly.alerting.alertmanager.matchers import matcher_text, parse_matchers
from pynomaly.alerting.silences.errors import BadSilence
from pynomaly.alerting.silences.service import Silences
from pynomaly.alerting.silences.silence import Silence, SilenceState
from pynomaly.model.alert import AlertState
from pynomaly.model.clock import Clock
from pynomaly.model.matcher import Matcher
from pynomaly.web.alerts.board import AlertBoard, Standing, alert_row, is_quiet

Snapshot = dict[str, Any]

MAX_ROWS = 1_000
_PREVIEWED = 50
_ORDER = {SilenceState.ACTIVE: 0, SilenceState.PENDING: 1, SilenceState.EXPIRED: 2}

_Matchers = Annotated[
    tuple[Annotated[str, Field(max_length=2_000)], ...], Field(min_length=1, max_length=100)
]
_Moment = Annotated[float, Field(ge=0, le=1e11)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PreviewSpec(_Wire):
    """What a silence would match; each text is one matcher or several."""

    matchers: _Matchers


class SilenceSpec(PreviewSpec):
    """A new silence. Times are epoch seconds; ``starts_at`` 0 is now."""

    starts_at: _Moment = 0.0
    ends_at: _Moment
    comment: Annotated[str, Field(max_length=10_000)] = ""


class EndSpec(_Wire):
    """Another end, in epoch seconds."""

    ends_at: _Moment


def silences_snapshot(silences: Silences, alerts: Sequence[Standing], now: float) -> Snapshot:
    """Silences: the active ones that end next, those to come, the expired ones newest first."""
    every = sorted(silences.all(), key=lambda silence: _order(silence, now))
    hides = Counter(one for each in alerts for one in each.silenced)
    states = [silence.state(now) for silence in every]
    return {
        "active": states.count(SilenceState.ACTIVE),
        "pending": states.count(SilenceState.PENDING),
        "total": len(every),
        "silences": [_row(silence, now, hides[silence.id]) for silence in every[:MAX_ROWS]],
    }


def _order(silence: Silence, now: float) -> tuple[int, float]:
    state = silence.state(now)
    times = {
        SilenceState.ACTIVE: silence.ends_at,
        SilenceState.PENDING: silence.starts_at,
        SilenceState.EXPIRED: -silence.ends_at,
    }
    return _ORDER[state], times[state]


def _row(silence: Silence, now: float, hides: int) -> Snapshot:
    return {
        "id": silence.id,
        "state": str(silence.state(now)),
        "matchers": [matcher_text(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "updated_at": silence.updated_at,
        "by": silence.created_by,
        "comment": silence.comment,
        "hides": hides,
    }


def read_matchers(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """The matchers of all texts, each once.

    Raises:
        BadMatcher: one of them is none.
    """
    return tuple(dict.fromkeys(matcher for text in texts for matcher in parse_matchers(text)))


async def preview(spec: PreviewSpec, board: AlertBoard) -> Snapshot:
    """The alerts that a silence would hide now.

    Raises:
        BadMatcher: a text is no matcher.
        BadSilence: it would match everything.
    """
    silence = Silence(read_matchers(spec.matchers), starts_at=1.0, ends_at=2.0)
    silence.check()
    found = [each for each in await board.all() if silence.matches(each.alert.labels)]
    found.sort(key=lambda each: (each.alert.state is not AlertState.FIRING, each.alert.name))
    firing = sum(each.alert.state is AlertState.FIRING for each in found)
    return {
        "matchers": [matcher_text(matcher) for matcher in silence.matchers],
        "firing": firing,
        "pending": len(found) - firing,
        "by_design": sum(is_quiet(each.alert) for each in found),
        "already": sum(bool(each.silenced) for each in found),
        "alerts": [alert_row(each) for each in found[:_PREVIEWED]],
    }


async def create(spec: SilenceSpec, silences: Silences, clock: Clock, author: str) -> Silence:
    """Keep a new silence.

    Raises:
        BadMatcher: a text is no matcher.
        BadSilence: it would match everything, or ends before it begins or in the past.
        RecordsError: it could not be stored.
    """
    now = clock.now()
    starts_at = max(spec.starts_at, now)
    if spec.ends_at <= starts_at:
        raise BadSilence("A silence must end later than it begins, and later than now.")
    matchers = read_matchers(spec.matchers)
    silence = Silence(matchers, starts_at, spec.ends_at, created_by=author, comment=spec.comment)
    return await silences.set(silence)


async def move_end(silence_id: str, spec: EndSpec, silences: Silences, clock: Clock) -> Silence:
    """Let a silence end at another time.

    Raises:
        SilenceNotFound: there is none of this id.
        BadSilence: it has expired, or the end lies in the past.
        RecordsError: it could not be stored; nothing has changed.
    """
    now, old = clock.now(), silences.get(silence_id)
    if old.state(now) is SilenceState.EXPIRED:
        raise BadSilence("It has expired.", hint="Make another one like it.")
    if spec.ends_at <= now:
        raise BadSilence("That end lies in the past.", hint="Expire it instead.")
    return await silences.set(replace(old, ends_at=spec.ends_at))
