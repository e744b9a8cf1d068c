"""The noise report over a million firings, and what following firings costs as alerts come in.

Ours only. 200 rules over 30 days in SQLite, as they are stored: in the order of time. Measured in
CPU time beside the wall's. FIRINGS chooses another number.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.tables import Table
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.firings.log import FiringLog
from pynomaly.alerting.firings.repository import FIRINGS
from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.alerting.flapping.detector import FlappingDetector
from pynomaly.alerting.noise.report import noise_report
from pynomaly.alerting.suppression.counts import Candidate, Counts
from pynomaly.alerting.suppression.rule import SuppressionRule, read_rule
from pynomaly.model.alert import fingerprint
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.records.group_commit import GroupCommit

BEGIN = 1_700_006_400.0  # a midnight
DAY = 86_400.0
DAYS, RULES, AT_ONCE = 30, 200, 20_000
ALERTS = 50_000


def run(folder: Path) -> list[Table]:
    """The report by range, and alerts a second through what follows them."""
    records = Records.open(RecordsSettings(), folder)
    size = int(os.environ.get("FIRINGS", "1000000"))
    for rows in _rows(size):
        with records.writing() as session:
            session.execute(sa.insert(FIRINGS), rows)
    report = Table(f"noise report over {size:,} firings", ["range", "firings", "CPU s", "wall s"])
    for days in (1, 7, DAYS):
        until = BEGIN + DAYS * DAY
        wall, cpu = time.perf_counter(), time.process_time()
        found = noise_report(records, until - days * DAY, until, timezone="Europe/Berlin")
        report.add(
            f"{days} d",
            f"{found.firings:,}",
            f"{time.process_time() - cpu:.2f}",
            f"{time.perf_counter() - wall:.2f}",
        )
    following = _following(records)
    records.close()
    return [report, following]


def _rows(size: int) -> Iterator[list[dict[str, Any]]]:
    chance = random.Random(1)
    for first in range(0, size, AT_ONCE):
        yield [_row(chance, number / size) for number in range(first, min(first + AT_ONCE, size))]


def _row(chance: random.Random, place: float) -> dict[str, Any]:
    at = BEGIN + place * DAYS * DAY
    rule = chance.randrange(RULES)
    return {
        "fingerprint": f"{chance.getrandbits(64):016x}",
        "started_at": at,
        "name": f"Rule{rule}",
        "severity": ("critical", "warning", "info")[rule % 3],
        "minute": int(at // 60),
        "ended_at": at + chance.expovariate(1 / 600),
        "notifications": chance.randrange(4),
        "acknowledged_at": at + 60 if chance.random() < 0.1 else None,
        "silenced_at": None,
        "flapping": chance.random() < 0.1,
        "again": chance.random() < 0.3,
    }


def _following(records: Records) -> Table:
    clock = FakeClock(BEGIN)
    alerts = [_alert(number) for number in range(ALERTS)]
    known = {alert.fingerprint: alert for alert in alerts}
    detector = FlappingDetector(FlappingSettings())
    log = FiringLog(records, GroupCommit(records), clock, known.get, detector, retention=90 * DAY)
    ended = [replace(alert, ends_at=BEGIN) for alert in alerts]
    candidates = [
        Candidate("team", alert.fingerprint, alert.starts_at, alert.labels) for alert in alerts
    ]
    document = {"name": "x", "time_window": 300, "max_alerts_in_window": 1}
    rules = [SuppressionRule.of(read_rule(document))]

    def suppress() -> None:
        counts = Counts()
        for candidate in candidates:
            counts.look(rules, candidate, BEGIN)

    table = Table(f"{ALERTS:,} alerts followed", ["step", "microseconds of CPU an alert"])
    table.add("begins", _each(lambda: log.receive(alerts)))
    table.add("is sent again", _each(lambda: log.receive(alerts)))
    table.add("ends", _each(lambda: log.receive(ended)))
    table.add("is held against a suppression rule", _each(suppress))
    return table


def _each(work: Callable[[], None]) -> str:
    began = time.process_time()
    work()
    return f"{(time.process_time() - began) / ALERTS * 1e6:.2f}"


def _alert(number: int) -> ReceivedAlert:
    labels = Labels(
        {"alertname": f"Rule{number % RULES}", "instance": f"host-{number}", "severity": "warning"}
    )
    return ReceivedAlert(
        labels, Labels(), BEGIN - 60, BEGIN + DAY, BEGIN, fingerprint(labels), timeout=True
    )
