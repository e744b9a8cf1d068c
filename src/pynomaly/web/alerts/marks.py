"""Marks on an alert, wherever a page shows it."""

from typing import Any

from pynomaly.alerting.explain.explanation import NoiseStanding

Snapshot = dict[str, Any]


def noise_json(how: NoiseStanding) -> Snapshot:
    """The rules that suppress an alert, who has taken it on, and whether it flaps."""
    kept, flap = how.acknowledgement, how.flap
    return {
        "suppressed": list(how.suppressed_by),
        "acknowledged": {"by": kept.by, "at": kept.at, "comment": kept.comment} if kept else None,
        "flapping": {"since": flap.since, "changes": flap.changes, "calm_at": flap.calm_at}
        if flap
        else None,
    }
