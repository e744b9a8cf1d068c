"""Settings of the sample store."""

from pydantic import Field

from pynomaly.model.document import Section


class SampleSettings(Section):
    """How samples are stored, and for how long."""

    retention_days: float = Field(
        default=90,
        gt=0,
        description="Samples older than this are refused, and removed by whole days (UTC).",
    )
    retention_bytes: int = Field(
        default=0,
        ge=0,
        description="When samples take more than this on disk the oldest days go; 0 is no limit. "
        "The newest day always stays.",
    )
    future_seconds: float = Field(
        default=600,
        ge=0,
        description="How far ahead of the clock a sample may be. One further ahead is refused, "
        "since a wrong clock would otherwise hide what is stored for years.",
    )
    flush_interval: float = Field(
        default=10,
        gt=0,
        le=600,
        description="Seconds after which stored samples go from the log to the engine's tables.",
    )
    flush_samples: int = Field(
        default=250_000,
        ge=1_000,
        le=10_000_000,
        description="Samples in the log from which on they go to the engine's tables at once.",
    )
    memory_seconds: float = Field(
        default=4_200,
        ge=0,
        description="How long stored samples are kept in memory as well, where instant queries, "
        "rules and short ranges find them; 0 keeps none.",
    )
    memory_samples: int = Field(
        default=6_000_000,
        ge=16,
        description="The most samples kept in memory so, 12.5 bytes each; the oldest go first.",
    )
    commit_samples: int = Field(
        default=1_000_000, ge=1_000, description="The most samples of one commit."
    )
    max_pending_samples: int = Field(
        default=4_000_000,
        ge=1_000,
        description="Samples that may wait for their commit (24 bytes each); more are answered "
        '"busy".',
    )
    label_cache: int = Field(
        default=200_000,
        ge=0,
        description="Label sets kept as objects; others are made from the index when asked for.",
    )
