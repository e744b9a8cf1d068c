"""``pynomaly routes``: where alerts go by an ``alertmanager.yml``, without a server."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.load import load_alertmanager, remarks_on
from pynomaly.alerting.alertmanager.matchers import parse_matcher
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.alerting.alertmanager.tree import as_json as tree_as_json
from pynomaly.alerting.alertmanager.tree import draw, draw_match, node_as_json
from pynomaly.cli.options import read_time
from pynomaly.cli.output import out
from pynomaly.model.document import ConfigError
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import MatchOp
from pynomaly.server.config import load_configuration
from pynomaly.server.files import alertmanager_config


def show(file: Path | None, *, as_json: bool) -> None:
    """Draw the tree; without a file, that of the configuration.

    Raises:
        ConfigError: the file cannot be used.
    """
    root = build_routes(config_of(file))
    if as_json:
        out.print_json(json.dumps(tree_as_json(root)))
        return
    _print("Routing tree:", draw(root))


def check(files: Sequence[Path], *, as_json: bool) -> bool:
    """Say what is wrong with files, and what is in them; whether all can be used."""
    reports = [_checked(path) for path in files]
    if as_json:
        out.print_json(json.dumps(reports))
    else:
        for report in reports:
            _print_report(report)
    return not any(report["errors"] for report in reports)


def test(
    file: Path | None,
    labels: Sequence[str],
    *,
    receivers: str | None,
    tree: bool,
    at: str,
    as_json: bool,
) -> bool:
    """Print the receivers of an alert; whether they are those expected, if any are.

    ``receivers``: the names expected, with commas between, in the tree's order. ``at``: when, for
    the time intervals.

    Raises:
        ConfigError: the file cannot be used.
        BadInput: labels that are not ``name=value``, or no time.
    """
    config = config_of(file)
    root, given = build_routes(config), _labels(labels)
    ends = root.match(given)
    names = ",".join(end.receiver for end in ends)
    as_expected = not receivers or receivers == names
    now = read_time("--at", at, time.time())
    if as_json:
        found = [_end_as_json(end, config, given, now) for end in ends]
        out.print_json(json.dumps({"as_expected": as_expected, "routes": found}))
        return as_expected
    if tree:
        _print("Matching routes:", draw_match(root, given))
    _print(names)
    for end in ends:
        if reason := _silent(end, config, now):
            _print(f"note: {end.key} is {reason}")
    if not as_expected:
        _print(f"WARNING: Expected receivers did not match resolved receivers: {receivers}")
    return as_expected


def config_of(file: Path | None) -> AlertmanagerConfig:
    """The configuration of a file; without one, the configured one.

    Raises:
        ConfigError: it cannot be used.
    """
    if file is not None:
        return load_alertmanager(file)
    configuration, _ = load_configuration(None, os.environ, {})
    return alertmanager_config(configuration)


def _labels(texts: Sequence[str]) -> Labels:
    found = {}
    for text in texts:
        matcher = parse_matcher(text)
        if matcher.op is not MatchOp.EQUAL:
            raise BadInput(f"{text!r}: labels are given as name=value")
        found[matcher.name] = matcher.value
    return Labels(found)


def _silent(end: Route, config: AlertmanagerConfig, at: float) -> str:
    mute, active = end.mute_time_intervals, end.active_time_intervals
    return config.intervals.why_silent(mute, active, at)


def _end_as_json(
    end: Route, config: AlertmanagerConfig, labels: Labels, at: float
) -> dict[str, Any]:
    group = dict(end.group_labels(labels))
    return {**node_as_json(end), "group_labels": group, "silent": _silent(end, config, at)}


def _checked(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = {"file": str(path), "errors": [], "notes": [], "found": {}}
    try:
        config = load_alertmanager(path)
        report["notes"] = remarks_on(path)
    except ConfigError as error:
        report["errors"] = error.message.splitlines()
        return report
    report["found"] = {
        "routes": sum(1 for _ in build_routes(config).walk()),
        "inhibit rules": len(config.inhibit_rules),
        "receivers": len(config.receivers),
        "time intervals": len(config.time_intervals) + len(config.mute_time_intervals),
        "templates": len(config.templates),
    }
    return report


def _print_report(report: dict[str, Any]) -> None:
    _print(f"Checking '{report['file']}'  {'FAILED' if report['errors'] else 'SUCCESS'}")
    for line in report["errors"]:
        _print(f"  {line}")
    if report["found"]:
        _print("Found:", *(f" - {count} {what}" for what, count in report["found"].items()))
    for line in report["notes"]:
        _print(f"note: {line}")


def _print(*lines: str) -> None:
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
