"""The settings of queries."""

from pydantic import Field

from pynomaly.model.document import Section


class QuerySettings(Section):
    """Limits and defaults of PromQL; durations are in seconds."""

    lookback: float = Field(default=300.0, gt=0)
    """How far an instant selector looks back for the latest sample."""
    default_subquery_step: float = Field(default=60.0, gt=0)
    """The resolution of a subquery that names none."""
    timeout: float = Field(default=120.0, gt=0)
    """The longest that any query may take; a caller may ask for less."""
    max_samples: int = Field(default=50_000_000, gt=0)
    """How many points one query may hold in memory at once (Prometheus's default)."""
    experimental_functions: bool = False
    """Answer what Prometheus calls experimental, such as ``limitk``, ``info`` and ``fill``."""
    chunk_samples: int = Field(default=2_000_000, gt=0)
    """About how many stored samples are read at a time."""
    cache_points: int = Field(default=4_000_000, ge=0)
    """How many points of range queries are remembered, 9 bytes each; 0 remembers none."""
    max_queries: int = Field(default=200, ge=1)
    """How many queries run and wait at once; a further one is refused at once."""
    log_slower_than: float = Field(default=10.0, ge=0)
    """Queries that take longer (seconds) are a line in the server's log."""
