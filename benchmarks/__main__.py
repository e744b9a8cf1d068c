"""``make bench`` or ``make bench ARGS='remote_write --json'``."""

import argparse
import importlib
import json
import tempfile
from pathlib import Path

ALL = [
    "remote_write",
    "queries",
    "dashboards",
    "selection",
    "ingest_under_queries",
    "footprint",
    "page",
    "lint",
    "rules",
    "sdk",
    "backtest",
    "passing_on",
    "alerting",
    "noise",
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the product beside its peers.")
    parser.add_argument("names", nargs="*", default=ALL, help=f"which: {', '.join(ALL)}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    chosen = parser.parse_args()
    found = []
    for name in chosen.names or ALL:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            for table in importlib.import_module(f"benchmarks.{name}").run(Path(folder)):
                found.append(table.to_json())
                if not chosen.json:
                    table.print()
    if chosen.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
