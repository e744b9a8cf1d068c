"""Settings of the embedded engine."""

from pydantic import Field

from pynomaly.model.document import Section

_MB = 1_000_000


class EngineSettings(Section):
    """How much of the machine the engine may take. The defaults suit a small machine."""

    max_memory_bytes: int = Field(
        default=1_100 * _MB,
        ge=256 * _MB,
        description="What the engine may allocate; Python's own memory comes on top, so leave it "
        "about 300 MB.",
    )
    query_connections: int = Field(
        default=4,
        ge=1,
        le=64,
        description="How many reading statements run at once; more wait in line.",
    )
    write_connections: int = Field(
        default=2,
        ge=1,
        le=16,
        description="How many inserts and other writing statements run at once.",
    )
    query_threads: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Threads of one reading statement; 0 takes the number of cores, at most 4.",
    )
    merge_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that merge stored parts in the background."
    )
    mark_cache_bytes: int = Field(
        default=64 * _MB, ge=_MB, description="Memory for the places of granules in files."
    )
    primary_key_cache_bytes: int = Field(
        default=16 * _MB, ge=_MB, description="Memory for the keys of granules."
    )
    text_index_cache_bytes: int = Field(
        default=64 * _MB, ge=_MB, description="Memory for the full-text index of logs."
    )
    fsync: bool = Field(
        default=False,
        description="Whether an insert reaches the disk before it is acknowledged. Without it, "
        "what is acknowledged survives a crash or kill of the process but not a power failure; "
        "with it a commit takes a few milliseconds longer.",
    )
    close_timeout: float = Field(
        default=10.0,
        gt=0,
        description="Seconds that closing waits for running statements, which it has cancelled.",
    )
