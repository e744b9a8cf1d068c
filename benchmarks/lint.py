"""Lint of rule files: ``make bench ARGS='lint'`` with RULES set to a folder of them."""

import os
import time
from pathlib import Path

from benchmarks.tables import Table
from pynomaly.model.document import ConfigError
from pynomaly.rules.lint.linter import RuleFile, lint, read_file

SHIPPED = Path(__file__).parents[1] / "config" / "rules"


def run(folder: Path) -> list[Table]:
    """The shipped rules, and those under $RULES, such as a checkout of the community's."""
    table = Table("Lint of rules", ["rules of", "files", "rules", "read s", "lint s", "findings"])
    folders = [SHIPPED, *([Path(os.environ["RULES"])] if "RULES" in os.environ else [])]
    for place in folders:
        began = time.perf_counter()
        files = _files(place)
        read = time.perf_counter() - began
        findings = lint(files)
        took = time.perf_counter() - began - read
        rules = sum(len(group.rules) for file in files for group in file.groups)
        table.add(
            place.name,
            *map(str, (len(files), rules)),
            f"{read:.2f}",
            f"{took:.2f}",
            str(len(findings)),
        )
    return [table]


def _files(place: Path) -> list[RuleFile]:
    found = []
    for path in sorted([*place.rglob("*.yml"), *place.rglob("*.yaml")]):
        try:
            found.append(read_file(path.read_text(), path.name))
        except ConfigError:
            continue  # other files of the same checkout
    return found
