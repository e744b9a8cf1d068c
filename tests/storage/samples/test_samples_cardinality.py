"""Cardinality: counted from the index's columns against counting label sets one by one."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from samples_help import NOW_MS, Reopen, put, series

from pynomaly.model.labels import Labels, series_id
from pynomaly.storage.samples.cardinality import Cardinality, Stat
from pynomaly.storage.samples.index import SeriesIndex

LONG = "v" * 300
label_sets = st.lists(
    st.dictionaries(
        st.sampled_from(["__name__", "a", "b", "ü"]), st.sampled_from(["", "x", "y", "ß", LONG])
    ).map(Labels),
    max_size=30,
    unique=True,
)


def counted(every: list[Labels], limit: int) -> Cardinality:
    """The same, label set by label set."""
    pairs = Counter(pair for labels in every for pair in labels.pairs)
    memory: Counter[str] = Counter()
    for (name, value), count in pairs.items():
        # Prometheus writes a length in one byte, from 255 on in four.
        sizes = [len(text.encode()) for text in (name, value)]
        memory[name] += count * sum(size + (1 if size < 255 else 4) for size in sizes)
    return Cardinality(
        series=len(every),
        label_pairs=len(pairs),
        by_metric=top({v: c for (n, v), c in pairs.items() if n == "__name__"}, limit),
        values_by_label=top(Counter(name for name, _ in pairs), limit),
        memory_by_label=top(memory, limit),
        by_pair=top({f"{n}={v}": c for (n, v), c in pairs.items()}, limit),
    )


def top(counts: dict[str, int], limit: int) -> list[Stat]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Stat(name, count) for name, count in ordered[:limit]]


@given(labels=label_sets, limit=st.integers(1, 6), gone=st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_figures_are_those_of_the_label_sets(labels: list[Labels], limit: int, gone: int) -> None:
    index = SeriesIndex()
    slots = index.add({series_id(each): each for each in labels})
    index.remove(slots[:gone])
    assert index.cardinality(limit) == counted(labels[gone:], limit)


def test_values_that_are_equally_frequent_come_by_name() -> None:
    hosts = [series("up", instance=f"host-{i:03}") for i in range(500)]
    index = SeriesIndex()
    index.add({series_id(labels): labels for labels in reversed(hosts)})
    found = index.cardinality(3)
    assert found.by_pair == [
        Stat("__name__=up", 500),
        Stat("instance=host-000", 1),
        Stat("instance=host-001", 1),
    ]


async def test_the_store_knows_its_first_and_last_time(reopen: Reopen) -> None:
    store = await reopen()
    assert store.span_ms() == (2**63 - 1, -(2**63))
    up = series("up")
    await put(store, *((up, NOW_MS - ago, 1.0) for ago in (5000, 3000, 9000)))
    assert store.span_ms() == (NOW_MS - 9000, NOW_MS - 3000)
    await store.flush()
    assert store.span_ms() == (NOW_MS - 9000, NOW_MS - 3000)
    assert store.cardinality(1).by_metric == [Stat("up", 1)]
