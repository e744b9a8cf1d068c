"""From episodes to what a person reads."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pynomaly.model.labels import Labels
from pynomaly.promql.contract import Querier
from pynomaly.rules.backtest import statistics
from pynomaly.rules.backtest.episodes import Episode
from pynomaly.rules.backtest.result import (
    AlertEvent,
    Curve,
    Curves,
    FailedEvaluations,
    RuleReport,
    SweepRow,
)
from pynomaly.rules.backtest.track import Alerting, Variant
from pynomaly.rules.template import Outside, Text, expand, expand_all

_MOST_CURVES = 12
_AT_A_TIME = re.compile(r"query|now")  # what a template can ask depends on when it is asked


@dataclass(frozen=True, slots=True)
class Period:
    """The range that is reported, and the time zone of its weeks and hours."""

    start: float
    end: float
    where: ZoneInfo

    def touches(self, episode: Episode) -> bool:
        """Whether an alert fired within the range, for any part of it."""
        return bool(episode.fired_at) and (not episode.ended_at or episode.ended_at >= self.start)


async def report_of(
    alerting: Alerting, period: Period, most_alerts: int, querier: Querier, outside: Outside
) -> RuleReport:
    """Everything about one rule as it stands. At most ``most_alerts`` alerts are listed."""
    every = await asyncio.to_thread(alerting.episodes, Variant())
    fired = sorted((e for e in every if period.touches(e)), key=lambda e: e.fired_at)
    told = await _annotations(alerting, fired[:most_alerts], querier, outside)
    return await asyncio.to_thread(_report, alerting, period, every, fired, told)


def _report(
    alerting: Alerting,
    period: Period,
    every: Sequence[Episode],
    fired: Sequence[Episode],
    annotations: Sequence[dict[str, str]],
) -> RuleReport:
    member, rule = alerting.member, alerting.member.rule
    times = [max(each.fired_at, period.start) for each in fired]
    listed = fired[: len(annotations)]
    comparison = alerting.comparison
    schedule = member.schedule
    return RuleReport(
        alert=rule.alert,
        group=member.group.name,
        file=member.group.file,
        expr=rule.expr,
        hold=rule.hold,
        keep_firing_for=rule.keep_firing_for,
        labels=member.group.labels_of(rule),
        interval=schedule.step_ms / 1000,
        comparison=comparison.op if comparison else None,
        threshold=comparison.value if comparison else None,
        evaluations=len(schedule.times),
        series=len(alerting.seen),
        data_start=alerting.data[0] if alerting.data else None,
        data_end=alerting.data[1] if alerting.data else None,
        fired=len(fired),
        pending_only=_pending_only(every, period),
        per_week=statistics.per_week(len(fired), period.start, period.end),
        weeks=statistics.weeks(times, period.start, period.end, period.where),
        hours=statistics.hours(times, period.where),
        firing_seconds=statistics.firing_seconds(fired, period.start, period.end),
        failures=_failures(alerting),
        events=[
            _event(alerting, each, told, float(schedule.times[0]))
            for each, told in zip(listed, annotations, strict=True)
        ],
        events_left_out=len(fired) - len(listed),
        curves=_curves(alerting, fired),
    )


def sweep_row(alerting: Alerting, variant: Variant, period: Period, *, as_given: bool) -> SweepRow:
    """One combination of a sweep."""
    every = alerting.episodes(variant)
    fired = [each for each in every if period.touches(each)]
    return SweepRow(
        threshold=variant.threshold,
        hold=alerting.member.rule.hold if variant.hold is None else variant.hold,
        as_given=as_given,
        fired=len(fired),
        per_week=statistics.per_week(len(fired), period.start, period.end),
        pending_only=_pending_only(every, period),
        series=len({each.labels for each in fired}),
        firing_seconds=statistics.firing_seconds(fired, period.start, period.end),
    )


def _pending_only(every: Sequence[Episode], period: Period) -> int:
    return sum(not e.fired_at and e.ended_at >= period.start for e in every)


async def _annotations(
    alerting: Alerting, listed: Sequence[Episode], querier: Querier, outside: Outside
) -> list[dict[str, str]]:
    """As each alert's annotations would have read when it began."""
    rule = alerting.member.rule
    if not any("{{" in text for text in rule.annotations.values()):
        return [dict(rule.annotations)] * len(listed)
    series = alerting.series_of_alerts()

    def labels_of(each: Episode) -> Labels:
        return each.series or series.get(each.labels) or each.labels

    def plainly(each: Episode) -> dict[str, str]:
        labels, value = labels_of(each), each.value
        return {
            name: expand(rule.alert, text, labels, value, outside)
            for name, text in rule.annotations.items()
        }

    if not any(_AT_A_TIME.search(text) for text in rule.annotations.values()):
        return await asyncio.to_thread(lambda: [plainly(each) for each in listed])
    found = []
    for each in listed:
        labels = labels_of(each)
        texts = [Text(template, labels, each.value) for template in rule.annotations.values()]
        told = await expand_all(rule.alert, texts, querier, each.pending_at, outside)
        found.append(dict(zip(rule.annotations, told, strict=True)))
    return found


def _event(
    alerting: Alerting, each: Episode, annotations: dict[str, str], first: float
) -> AlertEvent:
    low = alerting.comparison is not None and alerting.comparison.wants_low
    return AlertEvent(
        labels=dict(each.labels),
        annotations=annotations,
        pending_at=each.pending_at,
        fired_at=each.fired_at,
        ended_at=each.ended_at or None,
        value=_number(each.value),
        peak=_number(each.low if low else each.high),
        found_at_start=each.pending_at <= first,
        cleared_by_limit=each.cleared,
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _failures(alerting: Alerting) -> FailedEvaluations | None:
    found = alerting.all_failures(Variant())
    if not found.count:
        return None
    return FailedEvaluations(
        count=found.count, first=found.first, last=found.last, message=found.message
    )


def _curves(alerting: Alerting, fired: Sequence[Episode]) -> Curves | None:
    envelope = alerting.envelope
    if envelope is None or not envelope.values:
        return None
    count = Counter(each.labels for each in fired)
    order = sorted(
        envelope.values,
        key=lambda labels: (-count[alerting.alert_of(labels)], labels.pairs),
    )
    schedule = alerting.member.schedule
    step = schedule.step_ms / 1000 * envelope.width
    series = [
        Curve(
            labels=dict(labels),
            values=[None if v != v else v for v in envelope.values[labels].tolist()],
        )
        for labels in order[:_MOST_CURVES]
    ]
    start = float(schedule.times[0])
    left_out = max(len(alerting.seen), len(order)) - len(series)
    return Curves(start=start, step=step, series=series, left_out=left_out)
