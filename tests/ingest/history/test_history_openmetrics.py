"""OpenMetrics of history, in blocks."""

import pytest

from pynomaly.ingest.history.openmetrics import OpenMetricsReader
from pynomaly.ingest.history.reader import Block
from pynomaly.model.samples import MetricMetadata

AT = 1_751_284_800_000


def rows(block: Block) -> list[tuple[str, int, float]]:
    batch = block.batch
    columns = zip(batch.ids.tolist(), batch.ts.tolist(), batch.values.tolist(), strict=True)
    return [(str(batch.labels[i]), ts, value) for i, ts, value in columns]


def test_samples_come_block_by_block_and_metadata_at_the_end() -> None:
    reader = OpenMetricsReader()
    first = reader.read(
        b"# TYPE http_requests counter\n# HELP http_requests Requests.\n"
        b'http_requests_total{code="200"} 1 1751284800\n'
    )
    second = reader.read(b'http_requests_total{code="200"} 2 1751284815.5\n# EOF\n')
    last = reader.finish()
    assert rows(first) == [('http_requests_total{code="200"}', AT, 1.0)]
    assert rows(second) == [('http_requests_total{code="200"}', AT + 15_500, 2.0)]
    assert last.fault is None
    assert list(last.batch.metadata) == [MetricMetadata("http_requests", "counter", "Requests.")]


def test_samples_before_a_fault_are_given_with_its_line() -> None:
    reader = OpenMetricsReader()
    reader.read(b"up 1 1751284800\n")
    block = reader.read(b"up 0 1751284815\nup one 1751284830\nup 1 1751284845\n")
    assert rows(block) == [("up", AT + 15_000, 0.0)]
    assert block.fault is not None
    assert block.fault.line == 3
    assert block.fault.message.startswith("line 3: ")


def test_every_sample_needs_a_timestamp() -> None:
    block = OpenMetricsReader().read(b"up 1 1751284800\nup 0\nup 1 1751284830\n# EOF\n")
    assert len(rows(block)) == 1
    assert block.fault is not None
    assert block.fault.message == "line 2: a sample without a timestamp"


@pytest.mark.parametrize("text", [b"", b"up 1 1751284800\n"])
def test_a_text_that_does_not_end_is_cut_short(text: bytes) -> None:
    reader = OpenMetricsReader()
    if text:
        reader.read(text)
    fault = reader.finish().fault
    assert fault is not None
    assert "does not end with '# EOF'" in fault.message
