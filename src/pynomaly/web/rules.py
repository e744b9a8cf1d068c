"""Rules as the pages show them: what they are, and how they are doing."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from weakref import WeakKeyDictionary

from pynomaly.model.alert import AlertState
from pynomaly.promql.parser import parse
from pynomaly.promql.printer import to_text
from pynomaly.rules.backtest.threshold import comparison_of
from pynomaly.rules.evaluate import RuleState
from pynomaly.rules.group import GroupRunner
from pynomaly.web.notes import RuleNote, RuleNotes, no_notes

Snapshot = dict[str, Any]

MAX_RULES = 5_000
_IDS: WeakKeyDictionary[GroupRunner, list[str]] = WeakKeyDictionary()


def rulebook(groups: Sequence[GroupRunner], notes: RuleNotes = no_notes) -> Snapshot:
    """What the rules are; it changes only when rule files are read again.

    ``version`` tells one such state from another.
    """
    shown = [_group(runner, notes) for runner in groups]
    return {"version": _version(groups), "groups": shown}


def rules_snapshot(groups: Sequence[GroupRunner]) -> Snapshot:
    """How the rules are doing: a short row for each, by the id that the rulebook gives it."""
    rows = [row for runner in groups for row in _rows(runner)]
    return {
        "version": _version(groups),
        "total": len(rows),
        "failing": sum(row["health"] == "err" for row in rows),
        "rules": {row.pop("id"): row for row in rows[:MAX_RULES]},
    }


def rule_page(
    rule_id: str, runner: GroupRunner, state: RuleState, notes: RuleNotes = no_notes
) -> Snapshot:
    """What the page of one rule begins with."""
    return {
        **_rule(rule_id, state, notes(runner, state)),
        "group": runner.group.name,
        "file": runner.group.file,
        "interval": runner.interval,
        "drawn": expression(state),
    }


def expression(state: RuleState) -> Snapshot:
    """What to draw of a rule: without its comparison with a number, that number as a threshold."""
    found = comparison_of(parse(state.rule.expr))
    if found is None or found.op in ("==", "!="):
        return {"expr": state.rule.expr, "threshold": None, "op": ""}
    return {"expr": to_text(found.base), "threshold": found.value, "op": found.op}


def rule_ids(runner: GroupRunner) -> list[str]:
    """An id for each rule of a group, the same after a restart and after an edit of a rule.

    Rules of the same name and labels are told apart by their order.
    """
    if known := _IDS.get(runner):
        return known
    seen: Counter[str] = Counter()
    ids: list[str] = []
    for state in runner.rules:
        text = repr((runner.group.key, state.identity))
        seen[text] += 1
        digest = hashlib.blake2b(f"{text}{seen[text]}".encode(), digest_size=6)
        ids.append(digest.hexdigest())
    _IDS[runner] = ids
    return ids


def find_rule(groups: Sequence[GroupRunner], rule_id: str) -> tuple[GroupRunner, RuleState] | None:
    """The rule of an id, with its group."""
    for runner in groups:
        for each, state in zip(rule_ids(runner), runner.rules, strict=True):
            if each == rule_id:
                return runner, state
    return None


def _version(groups: Sequence[GroupRunner]) -> str:
    digest = hashlib.blake2b(digest_size=6)
    for runner in groups:
        digest.update(f"{id(runner)};".encode())  # an edited group gets another runner
    return digest.hexdigest()


def _group(runner: GroupRunner, notes: RuleNotes) -> Snapshot:
    group = runner.group
    return {
        "name": group.name,
        "file": group.file,
        "interval": runner.interval,
        "limit": group.limit,
        "rules": [
            _rule(rule_id, state, notes(runner, state))
            for rule_id, state in zip(rule_ids(runner), runner.rules, strict=True)
        ],
    }


def _rule(rule_id: str, state: RuleState, notes: Sequence[RuleNote]) -> Snapshot:
    rule = state.rule
    return {
        "id": rule_id,
        "name": rule.name,
        "kind": "alert" if rule.alert else "record",
        "expr": rule.expr,
        "for": rule.hold,
        "keep": rule.keep_firing_for,
        "labels": dict(state.labels),
        "annotations": rule.annotations,
        "notes": [asdict(note) for note in notes],
    }


def _rows(runner: GroupRunner) -> list[Snapshot]:
    return [
        _row(rule_id, state) for rule_id, state in zip(rule_ids(runner), runner.rules, strict=True)
    ]


def _row(rule_id: str, state: RuleState) -> Snapshot:
    active = [alert.state for alert in state.alerts.active()]
    value = state.value
    return {
        "id": rule_id,
        "state": state.state if state.rule.alert else "",
        "health": state.health,
        "error": state.last_error,
        "value": value if value is None or math.isfinite(value) else str(value),
        "found": state.found,
        "firing": sum(each is AlertState.FIRING for each in active),
        "pending": sum(each is AlertState.PENDING for each in active),
        "seconds": round(state.evaluation_seconds, 6),
        "last": state.last_evaluation,
    }
