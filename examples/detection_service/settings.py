"""What the service can be told."""

from dataclasses import dataclass
from pathlib import Path

NAME = "detection-service"
"""How it calls itself in logs and traces, and the job by which its metrics are scraped."""

DEFAULT_PASSWORD = "demo"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service listens and keeps things, and how large its parts are.

    - data_dir: its database, its archive, and the faults that are switched on.
    - port: on 127.0.0.1, where it listens.
    - password: of every account that it makes when there is none.
    - workers, queue_capacity: threads that do jobs, and jobs that may wait for them.
    - pool_size: connections to the database.
    - archive_bytes: room for archived readings; what does not fit is refused.
    - kept_detections: older ones are deleted by the upkeep.
    - upkeep_seconds: how often that is.
    """

    data_dir: Path
    port: int = 8000
    password: str = DEFAULT_PASSWORD
    workers: int = 2
    queue_capacity: int = 200
    pool_size: int = 5
    archive_bytes: int = 48 << 20
    kept_detections: int = 5000
    upkeep_seconds: float = 30.0
