"""Two versions of rules, alert by alert."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from pynomaly.rules.backtest.result import AgainstReport, AlertEvent, Pair, RuleReport

_Key = frozenset[tuple[str, str]]


def against(mine: Sequence[RuleReport], other: Sequence[RuleReport], end: float) -> AgainstReport:
    """Match the alerts of two versions.

    Rules belong together by their alert's name; the labels that a rule adds (a changed
    ``severity``) do not tell its alerts apart. Of alerts of the same labels those belong together
    that fire at the same time; in the order of time, so that each has one partner.
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
    name: str, a: list[AlertEvent], b: list[AlertEvent], interval: float, end: float
) -> list[Pair]:
    """Partners in the order of time: whichever ends first without an overlap is alone."""
    found: list[Pair] = []
    i = j = 0
    while i < len(a) and j < len(b):
        left, right = a[i], b[j]
        if _end(left, end) + interval < right.fired_at:
            found.append(Pair(alert=name, kind="only_a", labels=left.labels, a=left))
            i += 1
        elif _end(right, end) + interval < left.fired_at:
            found.append(Pair(alert=name, kind="only_b", labels=right.labels, b=right))
            j += 1
        else:
            found.append(_partners(name, left, right, interval, end))
            i, j = i + 1, j + 1
    found += [Pair(alert=name, kind="only_a", labels=e.labels, a=e) for e in a[i:]]
    found += [Pair(alert=name, kind="only_b", labels=e.labels, b=e) for e in b[j:]]
    return found


def _end(event: AlertEvent, end: float) -> float:
    return end if event.ended_at is None else event.ended_at


def _partners(name: str, left: AlertEvent, right: AlertEvent, interval: float, end: float) -> Pair:
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
