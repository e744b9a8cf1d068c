"""Which exemplars are taken, which are found, and how many are kept."""

import math
from pathlib import Path

import pytest
from exemplars_help import NOW_MS, Reopen, at, batch, put, read, series

from pynomaly.model.clock import FakeClock
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import SampleBatch
from pynomaly.observability import REGISTRY
from pynomaly.storage.engine.contract import EngineError
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.exemplars import schema
from pynomaly.storage.exemplars import store as store_module
from pynomaly.storage.samples.store import SampleStore

A, B, C = series("a", le="1"), series("a", le="2"), series("c")


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"pynomaly_exemplars_{name}", labels) or 0.0


async def test_they_are_found_by_series_and_time(store: SampleStore) -> None:
    await put(store, (C, at(3, trace="x")), (B, at(1)), (A, at(1)), (A, at(5, 2.5, "y")))
    assert read(store) == [
        ('a{le="1"}', [(1, 1.0, ""), (5, 2.5, "y")]),
        ('a{le="2"}', [(1, 1.0, "")]),
        ("c", [(3, 1.0, "x")]),
    ]
    le = Matcher("le", MatchOp.EQUAL, "2")
    assert [name for name, _ in read(store, [le])] == ['a{le="2"}']
    named = Matcher("__name__", MatchOp.EQUAL, "c")
    assert [name for name, _ in read(store, [le], [named])] == ['a{le="2"}', "c"]
    assert [name for name, _ in read(store, [le, named])] == []
    inside = read(store, start=NOW_MS + 3, end=NOW_MS + 5)
    assert inside == [('a{le="1"}', [(5, 2.5, "y")]), ("c", [(3, 1.0, "x")])]
    assert read(store, start=NOW_MS + 4, end=NOW_MS + 4) == []
    assert store.exemplars.exemplars([], 0, 2**53) == []


async def test_they_outlive_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    odd = Exemplar(Labels({"tracé": 'a"\\b'}), -math.inf, NOW_MS)
    await put(store, (A, at(1, trace="x")), (B, odd))
    await store.flush()
    await put(store, (A, at(2)))
    expected = store.exemplars.exemplars([[Matcher("le", MatchOp.NOT_EQUAL, "")]], 0, 2**53)
    for _ in range(2):
        store = await reopen()
        found = store.exemplars.exemplars([[Matcher("le", MatchOp.NOT_EQUAL, "")]], 0, 2**53)
        assert found == expected
    # What is newest is known again.
    assert (await put(store, (A, at(2)))).exemplars == 1
    assert (await put(store, (A, at(1)))).refused_exemplars == {"out_of_order": 1}
    assert read(store)[0] == ('a{le="1"}', [(1, 1.0, "x"), (2, 1.0, "")])


async def test_a_repeated_exemplar_is_stored_once(store: SampleStore) -> None:
    for moment in (0, 0):
        assert (await put(store, (A, at(moment, trace="x")))).exemplars == 1
    for moment in (10, 20, 30):  # exposed without a time, it has that of each scrape
        one = at(moment, 2.0, "y", timed=False)
        assert (await put(store, (A, one), (A, one))).exemplars == 2
    assert read(store) == [('a{le="1"}', [(0, 1.0, "x"), (10, 2.0, "y")])]


@pytest.mark.parametrize(
    ("late", "taken"),
    [
        (at(9, 5.0, "x"), False),
        (at(10, 4.0, "x"), False),
        (at(10, 6.0, "x"), True),
        (at(11, 4.0, "x"), True),
        (at(10, math.nan, "x"), True),  # as Go compares it
    ],
)
async def test_of_a_series_they_come_in_order(
    store: SampleStore, late: Exemplar, taken: bool
) -> None:
    await put(store, (A, at(10, 5.0, "x")))
    before = metric("refused_total", reason="out_of_order")
    answer = await put(store, (A, late), (B, late))
    assert answer.exemplars == 1 + taken
    assert answer.refused_exemplars == ({} if taken else {"out_of_order": 1})
    assert metric("refused_total", reason="out_of_order") == before + (not taken)


async def test_of_the_same_time_and_value_the_hash_of_the_labels_decides(
    store: SampleStore,
) -> None:
    answers = [await put(store, (A, at(0, 1.0, t)), (B, at(0, 1.0, u))) for t, u in ("xy", "yx")]
    assert [answer.exemplars for answer in answers] == [2, 1]


async def test_what_cannot_be_stored_is_refused_alone(store: SampleStore) -> None:
    long = Exemplar(Labels({"trace_id": "é" * 120}), 1.0, NOW_MS)
    longer = Exemplar(Labels({"trace_id": "é" * 121}), 1.0, NOW_MS)
    ahead, old = at(700_000), at(-40 * 86_400_000)
    sent = batch((A, long), (B, longer), (B, ahead), (B, old), (C, at(0)))
    unnamed = SampleBatch(sent.ids, sent.ts, sent.values, {}, exemplars=[(7, at(0))])
    assert (await store.append(sent)).refused_exemplars == {
        "labels_too_long": 1,
        "too_far_ahead": 1,
        "too_old": 1,
    }
    assert (await store.append(unnamed)).refused_exemplars == {"unnamed_series": 1}
    assert [name for name, _ in read(store)] == ['a{le="1"}', "c"]


async def test_the_oldest_received_go_when_there_are_too_many(reopen: Reopen) -> None:
    store = await reopen(3)
    await put(store, (A, at(1)), (B, at(9)), (A, at(2)))
    assert metric("kept") == metric("limit") == 3
    await put(store, (C, at(5)))
    expected = [('a{le="1"}', [(2, 1.0, "")]), ('a{le="2"}', [(9, 1.0, "")]), ("c", [(5, 1.0, "")])]
    assert read(store) == expected
    assert read(await reopen(3)) == expected
    # A series of which nothing is left begins anew.
    await put(store := await reopen(3), (A, at(3)), (C, at(6)))
    assert (await put(store, (B, at(8)))).exemplars == 1
    assert read(store)[1] == ('a{le="2"}', [(8, 1.0, "")])
    assert metric("kept") == 3


async def test_what_is_beyond_the_limit_leaves_the_disk(
    reopen: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BLOCK", 10)
    monkeypatch.setattr(
        store_module,
        "MIGRATIONS",
        tuple(
            type(m)(
                m.version, m.name, tuple(s.replace(str(schema.BLOCK), "10") for s in m.statements)
            )
            for m in schema.MIGRATIONS
        ),
    )
    store = await reopen(15)
    for number in range(95):
        await put(store, (series("m", i=str(number % 40)), at(number)))
        if number % 7 == 0:
            await store.flush()
    await store.flush()
    rows = store.engine.query("SELECT count() AS rows FROM exemplars")["rows"][0].as_py()
    assert 15 <= rows <= 25
    found = read(store)
    assert sorted(ts for _, own in found for ts, _, _ in own) == list(range(80, 95))
    assert metric("series") <= 25
    assert read(await reopen(15)) == found
    assert read(await reopen(4)) == [(name, own) for name, own in found if own[-1][0] > 90]


async def test_none_is_stored_when_the_limit_is_0(reopen: Reopen) -> None:
    await put(await reopen(5), (A, at(1)))
    store = await reopen(0)
    assert (await put(store, (A, at(2)))).exemplars == 0
    assert read(store) == []


async def test_they_go_with_the_retention_of_samples(store: SampleStore, clock: FakeClock) -> None:
    day = 86_400_000
    await put(store, (A, at(-29 * day)), (B, at(-29 * day)), (B, at(0)))
    await store.enforce_retention()
    assert len(read(store)) == 2
    await clock.advance(3 * 86_400)
    await store.enforce_retention()
    assert read(store) == [('a{le="2"}', [(0, 1.0, "")])]
    assert metric("kept") == metric("series") == 1
    assert metric("oldest_timestamp_seconds") == NOW_MS / 1000


async def test_they_stay_in_the_log_when_the_engine_does_not_take_them(
    reopen: Reopen, data_dir: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if data_dir is None:
        pytest.skip("there is no log")
    store = await reopen()

    def refuse(*_: object, **__: object) -> None:
        raise EngineError("no")

    await put(store, (A, at(1)))
    with monkeypatch.context() as patched:
        patched.setattr(store.engine, "insert", refuse)
        failures = metric("flush_failures_total")
        assert not store.exemplars.try_flush()
        assert metric("flush_failures_total") == failures + 1
        await put(store, (A, at(2)))
        assert read(store) == [('a{le="1"}', [(1, 1.0, ""), (2, 1.0, "")])]
    assert store.exemplars.try_flush()
    assert store.exemplars.pending == 0
    assert read(store) == [('a{le="1"}', [(1, 1.0, ""), (2, 1.0, "")])]


async def test_a_commit_that_the_log_does_not_take_changes_nothing(
    reopen: Reopen, data_dir: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await reopen()
    await put(store, (A, at(1)))

    def full(*_: object, **__: object) -> None:
        raise EngineError("full")

    with monkeypatch.context() as patched:
        if data_dir is None:
            patched.setattr(store.engine, "insert", full)
        else:
            patched.setattr("pynomaly.storage.exemplars.rows.ExemplarLog.append", full)
        with pytest.raises(EngineError):
            await put(store, (A, at(5)), (B, at(5)))
    assert read(store) == [('a{le="1"}', [(1, 1.0, "")])]
    assert (await put(store, (A, at(3)))).exemplars == 1


async def test_a_snapshot_has_them(
    reopen: Reopen, data_dir: Path | None, tmp_path: Path, clock: FakeClock
) -> None:
    if data_dir is None:
        pytest.skip("there is nothing to copy")
    store = await reopen()
    await put(store, (A, at(1, trace="x")), (B, at(2)))
    expected = read(store)
    place = await store.snapshot(lambda _: None)
    await store.close()
    store.engine.close()
    engine = EmbeddedEngine(place)
    copy = SampleStore(engine, clock, data_dir=place)
    try:
        await copy.start()
        assert read(copy) == expected
    finally:
        await copy.close()
        engine.close()
