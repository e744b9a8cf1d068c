"""The parameters by which alerts, groups and silences are chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.matchers import parse_matcher
from pynomaly.alerting.silences.silence import Silence
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import Matcher, MatchOp, compile_anchored

_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})
_NEGATIVE = frozenset({MatchOp.NOT_EQUAL, MatchOp.NOT_REGEX})


def flag(query: QueryParams, name: str) -> bool:
    """A parameter that is true unless it is given as something else; ``?silenced`` is true.

    An empty value means the default in Alertmanager, and Grafana writes what is true so.
    """
    return not (value := query.get(name)) or value.lower() in _TRUE


def matchers(query: QueryParams, name: str = "filter") -> tuple[Matcher, ...]:
    """The matchers of a parameter that may be repeated.

    Raises:
        BadInput: one of them is no matcher.
    """
    return tuple(parse_matcher(text) for text in query.getlist(name))


def match_labels(wanted: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy every matcher; ``a=""`` wants it absent, ``a!=""`` present."""
    return all(_matches(matcher, labels) for matcher in wanted)


def _matches(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    present = matcher.name in labels
    if matcher.value == "" and present is (matcher.op in _NEGATIVE):
        return True
    return matcher.matches(labels.get(matcher.name, ""))


def names_matchers(silence: Silence, wanted: Sequence[Matcher]) -> bool:
    """Whether a silence has each of these matchers, word for word."""
    return all(matcher in silence.matchers for matcher in wanted)


@dataclass(frozen=True, slots=True)
class ReceiverFilter:
    """Which receivers are asked for; ``names`` is None for all of them."""

    names: frozenset[str] | None = None

    @classmethod
    def of(cls, query: QueryParams, config: AlertmanagerConfig) -> "ReceiverFilter":
        """By ``receiver``, a regular expression, and ``receiver_matchers``.

        Raises:
            BadInput: one of them cannot be read.
        """
        pattern = query.get("receiver")
        wanted = _wanted_labels(query)
        if pattern is None and not wanted:
            return cls()
        try:
            regex = compile_anchored(pattern if pattern is not None else ".*")
        except BadInput as error:
            raise BadInput(f"failed to parse receiver param: {error.message}") from error
        return cls(
            frozenset(
                receiver.name
                for receiver in config.receivers
                if regex.fullmatch(receiver.name) and match_labels(wanted, receiver.labels)
            )
        )

    def takes(self, name: str) -> bool:
        """Whether a receiver is asked for."""
        return self.names is None or name in self.names


def _wanted_labels(query: QueryParams) -> tuple[Matcher, ...]:
    try:
        return matchers(query, "receiver_matchers")
    except BadInput as error:
        raise BadInput(f"failed to parse receiver_matchers param: {error.message}") from error
