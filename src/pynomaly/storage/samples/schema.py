"""The tables of samples and their series.

``samples`` keeps a day (UTC) in a partition, and in it four hours together, then the series: an
hour of 1,000 series out of a merged day is read in 31 ms instead of 137, the whole day in 203
instead of 179, at the same size. ``ReplacingMergeTree`` without a version column keeps the row
inserted last, which saves what a version would cost on disk; reading resolves the duplicates that
are not merged yet. A partition that has been quiet for an hour is merged into one part.
``series_days`` says which series have samples on which day.
"""

from pynomaly.storage.engine.migrations import Migration

AREA = "samples"
DAY_MS = 86_400_000
KEY = "intDiv(ts, 14400000), id, ts"

_SAMPLES = f"""
CREATE TABLE IF NOT EXISTS samples (
    id UInt64 CODEC(ZSTD(1)),
    ts Int64 CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(Delta(8), ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY intDiv(ts, {DAY_MS})
ORDER BY ({KEY})
SETTINGS index_granularity = 4096,
    min_compress_block_size = 262144, max_compress_block_size = 524288,
    min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
"""

_SERIES = """
CREATE TABLE IF NOT EXISTS series (
    id UInt64,
    metric_name LowCardinality(String),
    labels Map(LowCardinality(String), String),
    created_ms Int64
) ENGINE = ReplacingMergeTree
ORDER BY (metric_name, id)
"""

_SERIES_DAYS = """
CREATE TABLE IF NOT EXISTS series_days (
    day Int32,
    id UInt64
) ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (day, id)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
"""

_METADATA = """
CREATE TABLE IF NOT EXISTS metric_metadata (
    metric String,
    type LowCardinality(String),
    help String,
    unit String
) ENGINE = ReplacingMergeTree
ORDER BY metric
"""

MIGRATIONS = (Migration(1, "samples and series", (_SAMPLES, _SERIES, _SERIES_DAYS, _METADATA)),)

SQL_SERIES_ID = """
bitOr(
    bitAnd(xxHash64(labels['__name__']), 0xFFFFF00000000000),
    bitAnd(xxHash64(arrayStringConcat(arrayMap(
        (name, value) -> concat(name, '\\xFF', value, '\\xFF'),
        mapKeys(labels), mapValues(labels)
    ))), 0x00000FFFFFFFFFFF)
)
"""
"""``model.labels.series_id`` in SQL, of a map ``labels`` whose keys are sorted."""
