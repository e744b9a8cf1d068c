"""The table of exemplars.

``seq`` numbers them in the order received. A partition holds ``BLOCK`` of them, so that the oldest
go by dropping partitions; reading leaves out what is beyond the bound in the oldest one. Rows
carry their series' labels: exemplars may outlive the samples, and are few.
"""

from pynomaly.storage.engine.migrations import Migration

AREA = "exemplars"
BLOCK = 65_536

_EXEMPLARS = f"""
CREATE TABLE IF NOT EXISTS exemplars (
    seq UInt64 CODEC(Delta(8), ZSTD(1)),
    id UInt64 CODEC(ZSTD(1)),
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    exemplar Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    ts Int64 CODEC(DoubleDelta, ZSTD(1)),
    timed UInt8
) ENGINE = MergeTree
PARTITION BY intDiv(seq, {BLOCK})
ORDER BY (id, seq)
"""

MIGRATIONS = (Migration(1, "exemplars", (_EXEMPLARS,)),)
