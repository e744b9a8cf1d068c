"""Settings of the embedded engine."""

from pydantic import Field

from pynomaly.model.document import Section

_MB = 1_000_000


class EngineSettings(Section):
    """How much of the machine the engine may take. The defaults suit a small machine."""

    max_memory_bytes: int = Field(default=1_100 * _MB, ge=256 * _MB)
    """What the engine may allocate (ClickHouse's ``max_server_memory_usage``); Python's own
    memory comes on top, so leave it about 300 MB."""

    query_connections: int = Field(default=4, ge=1, le=64)
    """How many reading statements run at once; more wait in line."""

    write_connections: int = Field(default=2, ge=1, le=16)
    """How many inserts and other writing statements run at once."""

    query_threads: int = Field(default=0, ge=0, le=256)
    """Threads of one reading statement; 0 takes the number of cores, at most 4."""

    merge_threads: int = Field(default=2, ge=1, le=64)
    """Threads that merge parts in the background."""

    mark_cache_bytes: int = Field(default=64 * _MB, ge=_MB)
    """The engine's cache of where in its files rows begin."""

    primary_key_cache_bytes: int = Field(default=16 * _MB, ge=_MB)
    """The engine's cache of primary keys."""

    text_index_cache_bytes: int = Field(default=64 * _MB, ge=_MB)
    """The engine's cache of text indexes, which logs will use."""

    fsync: bool = False
    """Whether an insert reaches the disk before it is acknowledged. Without it an
    acknowledged insert survives a crash or kill of the process, not a power failure; with
    it a commit takes a few milliseconds longer."""

    close_timeout: float = Field(default=10.0, gt=0)
    """Seconds that ``close`` waits for running statements that were cancelled."""
