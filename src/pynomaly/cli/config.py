"""``pynomaly config check``."""

import json
import os
from pathlib import Path

from pynomaly.cli.output import out
from pynomaly.server.config import DEFAULT_FILE, load_configuration
from pynomaly.server.files import load_named_files


def check(path: Path | None, *, as_json: bool) -> None:
    """Read everything that ``up`` would read, and say what is accepted without effect.

    Raises:
        ConfigError: what cannot be used, with file and line.
    """
    configuration, notes = load_configuration(path, os.environ, {})
    files = load_named_files(configuration)
    lines = [*map(str, notes), *files.warnings]
    source = str(path or (DEFAULT_FILE if DEFAULT_FILE.exists() else "the defaults"))
    jobs, groups = len(files.prometheus.scrape_configs), len(files.rule_groups)
    receivers = len(files.alertmanager.receivers)
    if as_json:
        counts = {"scrape_jobs": jobs, "rule_groups": groups, "receivers": receivers}
        found = {"source": source, **counts, "notes": lines}
        out.print_json(json.dumps({"status": "ok", **found}))
        return
    found_here = f"{jobs} scrape jobs, {groups} rule groups, {receivers} receivers"
    out.print(f"{source}: good. {found_here}.", markup=False)
    for line in lines:
        out.print(f"note: {line}", markup=False, soft_wrap=True)
