"""``pynomaly storage verify``."""

import json
from pathlib import Path
from typing import Any

from pynomaly.cli.client import Client
from pynomaly.cli.output import out


def verify(url: str, data_dir: Path | None, *, as_json: bool) -> bool:
    """Print the report of a running server, or of a folder that none runs on; whether sound."""
    report = _offline(data_dir) if data_dir else Client(url).get("/api/storage/verify")
    if as_json:
        out.print_json(json.dumps(report))
    else:
        for name, value in report.items():
            out.print(f"{name}: {value}", markup=False)
    return bool(report["sound"])


def _offline(data_dir: Path) -> dict[str, Any]:
    from pynomaly.model.errors import BadInput
    from pynomaly.storage.engine.embedded import EmbeddedEngine
    from pynomaly.storage.engine.migrations import migrate
    from pynomaly.storage.samples.schema import AREA, MIGRATIONS
    from pynomaly.storage.samples.verify import verify as verify_engine

    if not data_dir.is_dir():
        raise BadInput(f"{data_dir} is not a folder.", hint="Name the folder of --data-dir.")
    engine = EmbeddedEngine(data_dir)
    try:
        migrate(engine, AREA, MIGRATIONS)
        report: dict[str, Any] = json.loads(verify_engine(engine).to_json())
        return report
    finally:
        engine.close()
