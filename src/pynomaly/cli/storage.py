"""``pynomaly storage verify``."""

import asyncio
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
    from pynomaly.model.clock import SystemClock
    from pynomaly.model.errors import BadInput
    from pynomaly.storage.engine.embedded import EmbeddedEngine
    from pynomaly.storage.samples.store import SampleStore

    if not data_dir.is_dir():
        raise BadInput(f"{data_dir} is not a folder.", hint="Name the folder of --data-dir.")

    async def report() -> dict[str, Any]:
        # The store also takes over what a killed server left in its log.
        store = SampleStore(engine, SystemClock(), data_dir=data_dir)
        try:
            await store.start()
            found: dict[str, Any] = json.loads((await store.verify()).to_json())
            return found
        finally:
            await store.close()

    engine = EmbeddedEngine(data_dir)
    try:
        return asyncio.run(report())
    finally:
        engine.close()
