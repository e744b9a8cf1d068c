"""One event for what moved together: anomalies that begin within minutes in related series.

Series are related when they are of the same service, of the same pod or host, or siblings.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pynomaly.detection.events import TOGETHER, Anomaly, Severity, severity_of
from pynomaly.detection.peers.siblings import INSTANCE_LIKE, Key, kin, places
from pynomaly.model.labels import METRIC_NAME, canonical


@dataclass(frozen=True, slots=True)
class Relations:
    """What makes series related, and how near in time their anomalies must begin.

    ``within``: seconds between two begins. ``longest``: seconds after its first begin that a
    group takes in more, so that a chain of chances ends. ``by``: labels that tell siblings apart.
    """

    within: float = 300.0
    longest: float = 1800.0
    by: Sequence[str] = INSTANCE_LIKE

    def keys(self, anomaly: Anomaly) -> set[Key]:
        """What it has in common with whatever is related to it."""
        found = places(anomaly.labels, self.by)
        if anomaly.service:
            found.add(("service", anomaly.service))
        siblings = kin(anomaly.labels, self.by)
        if siblings is not None:
            found.add(("siblings", canonical(siblings).hex()))
        return found


@dataclass(frozen=True, slots=True)
class Event:
    """What is told once: the anomalies of a group, the rarest first, or one alone.

    ``id`` is that of the anomaly by which it began, and stays.
    """

    id: str
    members: tuple[Anomaly, ...]

    @property
    def head(self) -> Anomaly:
        """The rarest."""
        return self.members[0]

    @property
    def started_at(self) -> float:
        """When the first began."""
        return min(each.started_at for each in self.members)

    @property
    def ended_at(self) -> float:
        """When the last ended; 0 while one lasts."""
        if any(each.ended_at == 0 for each in self.members):
            return 0.0
        return max(each.ended_at for each in self.members)

    @property
    def score(self) -> float:
        """The highest: of a member, or of what they are together."""
        return max(max(each.score, each.together) for each in self.members)

    @property
    def severity(self) -> Severity:
        """By that score."""
        return severity_of(self.score)

    @property
    def feedback(self) -> str:
        """What was said, when the same was said of all of them."""
        said = {each.feedback for each in self.members}
        return said.pop() if len(said) == 1 else ""

    @property
    def shared(self) -> dict[str, str]:
        """The labels that all members have; the metric's name, when it is one, first."""
        first, *others = (set(each.labels.pairs) for each in self.members)
        return dict(sorted(first.intersection(*others)))

    @property
    def explanation(self) -> str:
        """Why, in words: how many, what they share, and the rarest of them."""
        head = self.head
        if len(self.members) == 1:
            return head.explanation
        weak = all(each.cause == TOGETHER for each in self.members)
        beyond = "none rare enough alone, together they are; the rarest" if weak else "the rarest"
        return f"{self.what}: {beyond}, {head.labels}, {head.explanation}"

    @property
    def what(self) -> str:
        """What moved, in a few words: ``5 series of 2 metrics with pod=shop-1``."""
        count = len(self.members)
        metrics = {each.metric for each in self.members}
        of = f"of {metrics.pop()}" if len(metrics) == 1 else f"of {len(metrics)} metrics"
        shared = ", ".join(f"{n}={v}" for n, v in self.shared.items() if n != METRIC_NAME)
        return f"{count} series {of}" + (f" with {shared}" if shared else "")


async def say_of_all(event: Event, say: Callable[[str], Awaitable[Anomaly]]) -> Event:
    """Say the same of all members, by their ids; the event as it is then.

    Raises:
        NoSuchAnomaly: one is gone.
    """
    return replace(event, members=tuple([await say(each.id) for each in event.members]))


def events_of(anomalies: Iterable[Anomaly]) -> list[Event]:
    """The anomalies by their groups, in the order in which each group is first met."""
    groups: dict[str, list[Anomaly]] = defaultdict(list)
    for each in anomalies:
        groups[each.group_id or each.id].append(each)
    return [
        Event(id_, tuple(sorted(members, key=lambda a: (-a.score, a.started_at, a.id))))
        for id_, members in groups.items()
    ]


@dataclass(slots=True)
class _Begun:
    """What began before, by what it is related through: begins, rising, each with its group."""

    starts: dict[str, float] = field(default_factory=dict)
    by_key: dict[Key, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, earlier: Iterable[Anomaly], relations: Relations) -> "_Begun":
        found = cls()
        for each in earlier:
            group = each.group_id or each.id
            found.starts[group] = min(found.starts.get(group, each.started_at), each.started_at)
            for key in relations.keys(each):
                found.by_key[key].append((each.started_at, group))
        for rows in found.by_key.values():
            rows.sort()
        return found

    def groups_of(self, anomaly: Anomaly, relations: Relations) -> set[str]:
        """The groups that it may belong to."""
        at, found = anomaly.started_at, set()
        for key in relations.keys(anomaly):
            rows = self.by_key.get(key, [])
            for start, group in rows[bisect_left(rows, (at - relations.within, "")) :]:
                if start > at + relations.within:
                    break
                if at - self.starts[group] <= relations.longest:
                    found.add(group)
        return found


def gather(
    new: Sequence[Anomaly], earlier: Iterable[Anomaly], relations: Relations | None = None
) -> dict[str, str]:
    """The group of each new anomaly, by its id: an earlier one's, or a new one's.

    A new group is named by its first (of those, its rarest) member. The order of the anomalies
    does not matter. ``earlier``: those that began in the last ``longest`` seconds.
    """
    relations = relations or Relations()
    begun = _Begun.of(earlier, relations)
    found: dict[str, str] = {}
    for component in _connected(new, relations):
        known = {group for each in component for group in begun.groups_of(each, relations)}
        if known:
            group = min(known, key=lambda each: (begun.starts[each], each))
        else:
            group = min(component, key=lambda a: (a.started_at, -a.score, a.id)).id
        found |= {each.id: group for each in component}
    return found


def _connected(new: Sequence[Anomaly], relations: Relations) -> list[list[Anomaly]]:
    """The new ones by who is related to whom, directly or through others."""
    parent = list(range(len(new)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    by_key: dict[Key, list[int]] = defaultdict(list)
    for i in sorted(range(len(new)), key=lambda i: new[i].started_at):
        for key in relations.keys(new[i]):
            nearest = by_key[key][-1:]
            for j in nearest:
                if new[i].started_at - new[j].started_at <= relations.within:
                    parent[root(i)] = root(j)
            by_key[key].append(i)
    components: dict[int, list[Anomaly]] = defaultdict(list)
    for i, each in enumerate(new):
        components[root(i)].append(each)
    return list(components.values())
