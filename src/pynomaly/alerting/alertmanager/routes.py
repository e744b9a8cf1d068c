"""The routing tree: which receivers an alert goes to, and how it is grouped on the way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count

from pynomaly.alerting.alertmanager.config import ALL_LABELS, AlertmanagerConfig, RouteConfig
from pynomaly.alerting.alertmanager.matchers import all_matchers, matchers_text
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp

_Test = tuple[str, Callable[[str], bool]]
_REMEMBERED = 512
"""Values of which each regular expression knows whether it matches."""


def _tests(matchers: Sequence[Matcher]) -> tuple[_Test, ...]:
    """The matchers as what is called for a label's value, the cheapest first."""
    plain: list[_Test] = []
    regexes: list[_Test] = []
    for matcher in matchers:
        if matcher.op is MatchOp.EQUAL:
            plain.append((matcher.name, matcher.value.__eq__))
        elif matcher.op is MatchOp.NOT_EQUAL:
            plain.append((matcher.name, matcher.value.__ne__))
        else:
            regexes.append((matcher.name, lru_cache(_REMEMBERED)(matcher.matches)))
    return (*plain, *regexes)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One node of the tree, with all that it has from the nodes above.

    Times are in seconds. ``index`` is Alertmanager's: children come before their parent, from 0.
    ``key`` is part of the keys of groups: ``{}/{severity="critical"}``; ``id`` is unique in the
    tree. ``labels`` may be templates.
    """

    receiver: str = ""
    group_by: frozenset[str] = frozenset()
    group_by_all: bool = False
    group_wait: float = 30.0
    group_interval: float = 5 * 60.0
    repeat_interval: float = 4 * 3600.0
    labels: Labels = Labels()  # noqa: RUF009 (immutable)
    matchers: tuple[Matcher, ...] = ()
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    continues: bool = False
    index: int = 0
    key: str = "{}"
    id: str = "{}"
    children: tuple["Route", ...] = ()
    _tests: tuple[_Test, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tests", _tests(self.matchers))

    def match(self, labels: Labels) -> tuple["Route", ...]:
        """The nodes that an alert with these labels ends at, in the order of the tree.

        Each child that matches takes the alert over, and unless it ``continues`` ends the search
        among its siblings; where none does, the node itself is the end. Not even that if the
        node does not match.
        """
        values = dict(labels.pairs)
        return tuple(self._match(values)) if self._takes(values) else ()

    def _takes(self, values: dict[str, str]) -> bool:
        for name, test in self._tests:
            if not test(values.get(name, "")):
                break
        else:
            return True
        return False

    def _match(self, values: dict[str, str]) -> list["Route"]:
        ends: list[Route] = []
        for child in self.children:
            if child._takes(values):
                ends += child._match(values)
                if not child.continues:
                    break
        return ends or [self]

    def group_labels(self, labels: Labels) -> Labels:
        """The labels that alerts of one group have in common by ``group_by``."""
        return labels if self.group_by_all else labels.keep(self.group_by)

    def walk(self) -> Iterator["Route"]:
        """All nodes from this one on, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()


def build_routes(config: AlertmanagerConfig) -> Route:
    """The root of the tree that a configuration describes."""
    return _build(config.route, None, "", count())


def _build(written: RouteConfig, parent: Route | None, place: str, numbers: Iterator[int]) -> Route:
    matchers = all_matchers(written.match, written.match_re, written.matchers)
    text = matchers_text(matchers)
    route = replace(
        _inherited(written, parent or Route()),
        matchers=matchers,
        mute_time_intervals=written.mute_time_intervals,
        active_time_intervals=written.active_time_intervals,
        continues=written.continue_,
        key=f"{parent.key}/{text}" if parent else text,
        id=f"{parent.id}/{text}/{place}" if parent else text,
        children=(),
    )
    children = tuple(
        _build(child, route, str(at), numbers) for at, child in enumerate(written.routes)
    )
    return replace(route, children=children, index=next(numbers))


def _inherited(written: RouteConfig, parent: Route) -> Route:
    """What the node above says, unless this one does."""
    own = written.group_by
    every = own is not None and ALL_LABELS in own
    return replace(
        parent,
        receiver=written.receiver or parent.receiver,
        group_wait=_given(written.group_wait, parent.group_wait),
        group_interval=_given(written.group_interval, parent.group_interval),
        repeat_interval=_given(written.repeat_interval, parent.repeat_interval),
        labels=Labels({**parent.labels, **written.labels}),
        group_by=parent.group_by if own is None or every else frozenset(own),
        group_by_all=parent.group_by_all if own is None else every,
    )


def _given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
