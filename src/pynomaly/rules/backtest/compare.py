"""Two versions of rules, alert by alert."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from pynomaly.rules.backtest.result import AgainstReport, AlertEvent, Pair, RuleReport

_Key = frozenset[tuple[str, str]]


def against(mine: Sequence[RuleReport], other: Sequence[RuleReport], end: float) -> AgainstReport:
    """Match the alerts of two versions.

    Rules belong together by their alert's name; the labels that a rule adds (a changed
    ``severity``) do not tell its alerts apart. Of alerts of the same labels those belong together
    that fire at the same time.
    """
    pairs: list[Pair] = []
    for name in sorted({rule.alert for rule in [*mine, *other]}):
        pairs += _pairs(name, _named(mine, name), _named(other, name), end)
    pairs.sort(key=_begins)
    counts = Counter(pair.kind for pair in pairs)
    return AgainstReport(
        rules=list(other),
        same=counts["same"],
        shifted=counts["shifted"],
        only_a=counts["only_a"],
        only_b=counts["only_b"],
        pairs=[pair for pair in pairs if pair.kind != "same"],
    )


def _named(rules: Sequence[RuleReport], name: str) -> list[RuleReport]:
    return [rule for rule in rules if rule.alert == name]


def _begins(pair: Pair) -> float:
    return min(event.fired_at for event in (pair.a, pair.b) if event is not None)


def _pairs(name: str, a: Sequence[RuleReport], b: Sequence[RuleReport], end: float) -> list[Pair]:
    interval = max(rule.interval for rule in [*a, *b])
    added = {n for rule in [*a, *b] for n, text in rule.labels.items() if "{{" not in text}
    of_a, of_b = _by_labels(a, added), _by_labels(b, added)
    found: list[Pair] = []
    for key in of_a.keys() | of_b.keys():
        found += _matched(name, of_a.get(key, []), of_b.get(key, []), interval, end)
    return found


def _by_labels(rules: Sequence[RuleReport], ignored: set[str]) -> dict[_Key, list[AlertEvent]]:
    found: dict[_Key, list[AlertEvent]] = defaultdict(list)
    events = [event for rule in rules for event in rule.events]
    for event in sorted(events, key=lambda e: e.fired_at):
        found[frozenset(p for p in event.labels.items() if p[0] not in ignored)].append(event)
    return found


def _matched(
    name: str, a: Sequence[AlertEvent], b: Sequence[AlertEvent], interval: float, end: float
) -> list[Pair]:
    """Every alert with the first of the other version that overlaps it, or alone.

    An alert can be the partner of several: one long one where the other version has many.
    """
    of_a = _partners_of(a, b, interval, end)
    found: list[Pair] = []
    taken = {partner for partner in of_a if partner is not None}
    for left, partner in zip(a, of_a, strict=True):
        if partner is None:
            found.append(Pair(alert=name, kind="only_a", labels=left.labels, a=left))
        else:
            found.append(_pair(name, left, b[partner], interval, end))
    for index, partner in enumerate(_partners_of(b, a, interval, end)):
        if partner is None:
            found.append(Pair(alert=name, kind="only_b", labels=b[index].labels, b=b[index]))
        elif index not in taken:
            found.append(_pair(name, a[partner], b[index], interval, end))
    return found


def _partners_of(
    events: Sequence[AlertEvent], others: Sequence[AlertEvent], interval: float, end: float
) -> list[int | None]:
    """For each alert the first of the others that fires while it does, give or take an interval."""
    found: list[int | None] = []
    first = 0
    for event in events:
        while first < len(others) and _end(others[first], end) + interval < event.fired_at:
            first += 1
        met = first < len(others) and others[first].fired_at <= _end(event, end) + interval
        found.append(first if met else None)
    return found


def _end(event: AlertEvent, end: float) -> float:
    return end if event.ended_at is None else event.ended_at


def _pair(name: str, left: AlertEvent, right: AlertEvent, interval: float, end: float) -> Pair:
    starts = right.fired_at - left.fired_at
    ends = _end(right, end) - _end(left, end)
    same = abs(starts) <= interval and abs(ends) <= interval
    return Pair(
        alert=name,
        kind="same" if same else "shifted",
        labels=left.labels,
        a=left,
        b=right,
        starts=starts,
        ends=ends,
    )
