"""What every ``Querier`` must do: the local engine, Prometheus, VictoriaMetrics."""

import asyncio
import math

import numpy as np
import pytest
from contract_stores import END, START, Store

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.contract import Matrix, ParseError, QueryError, Scalar, looking_back


def row(result: object, **wanted: str) -> list[float]:
    """The values of the one series with these labels, where it is present; NaN elsewhere."""
    matrix = result.value
    assert isinstance(matrix, Matrix)
    found = [
        i
        for i, each in enumerate(matrix.labels)
        if all(each.get(n) == v for n, v in wanted.items())
    ]
    assert len(found) == 1, matrix.labels
    present = matrix.present[found[0]]
    return np.where(present, matrix.values[found[0]], np.nan).tolist()


def test_a_vector_has_one_step_at_the_time_asked_for(store: Store) -> None:
    value = store.instant("level", END - 60).value
    assert isinstance(value, Matrix)
    assert value.timestamps.tolist() == [(END - 60) * 1000]
    assert value.values.dtype == np.float64
    assert value.present.all()
    assert value.labels == [
        Labels({"__name__": "level", "instance": f"i{i}", "job": "api"}) for i in range(2)
    ]
    n = (30 * 60 - 60) // 15 - 1  # the newest sample before, 3 s after a quarter of a minute
    assert value.values[:, 0].tolist() == [(n % 7 - 3) * 0.1, (n % 7 - 3) * 1.1]


def test_a_range_has_every_step_and_says_where_nothing_is(store: Store) -> None:
    result = store.range("ended", START - 60, START + 900, 60)
    assert result.value.timestamps.tolist() == [
        t * 1000 for t in range(START - 60, START + 901, 60)
    ]
    values = row(result)
    assert [math.isnan(v) for v in values[:2]] == [True, True]
    assert values[2:12] == [5.0] * 10
    assert all(math.isnan(v) for v in values[13:]), "the staleness marker ends it at once"


def test_the_last_step_is_not_after_the_end(store: Store) -> None:
    result = store.range("level", START + 60, START + 100, 30)
    assert result.value.timestamps.tolist() == [(START + 60) * 1000, (START + 90) * 1000]


@pytest.mark.parametrize(
    "expr",
    [
        "sum by (job) (level)",
        "max(requests_total)",
        "requests_total > 100",
        "level * 2 + 1",
        "sum(level) / count(level)",
        'requests_total{instance=~"i[01]"} and requests_total{instance!="i0"}',
        "absent(no_such_metric)",
        "count_over_time(level[2m])",
        "sum by (instance) (max_over_time(level[3m]))",
        "level offset 5m",
        "abs(level)",
        'label_replace(level, "x", "$1", "instance", "i(.)")',
        "histogram_quantile(0.9, sum by (le) (took_seconds_bucket))",
        "time() - timestamp(level) < 300",
        "avg_over_time(sum(level)[5m:1m])",
    ],
)
def test_answers_are_those_of_the_local_engine(expr: str, store: Store, local_store: Store) -> None:
    for at in (START + 600, END - 1):
        ours, theirs = local_store.instant(expr, at).value, store.instant(expr, at).value
        assert isinstance(theirs, Matrix)
        assert theirs.labels == ours.labels
        np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-9, atol=1e-12)
    ours = local_store.range(expr, START + 300, END, 45).value
    theirs = store.range(expr, START + 300, END, 45).value
    assert theirs.labels == ours.labels
    assert theirs.timestamps.tolist() == ours.timestamps.tolist()
    np.testing.assert_array_equal(theirs.present, ours.present)
    np.testing.assert_allclose(
        theirs.values[theirs.present], ours.values[ours.present], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("expr", ["1 + 1", "time()", "scalar(sum(level)) * 0 + 3"])
def test_a_scalar_is_one(expr: str, store: Store, local_store: Store) -> None:
    for ask in (lambda s: s.instant(expr), lambda s: s.range(expr, START, START + 60, 30)):
        theirs, ours = ask(store).value, ask(local_store).value
        assert isinstance(theirs, Scalar)
        assert theirs.timestamps.tolist() == ours.timestamps.tolist()
        np.testing.assert_allclose(theirs.values, ours.values)


def test_samples_come_as_they_were_stored(store: Store) -> None:
    found = store.instant("requests_total[61s]", START + 90).value
    assert isinstance(found, SeriesSamples)
    assert found.offsets.tolist() == [0, 4, 8, 12]
    times = [(START + 15 * n) * 1000 + 3000 for n in (2, 3, 4, 5)]
    assert found.ts.tolist() == times * 3
    values = {
        labels["instance"]: found.values[4 * i : 4 * i + 4].tolist()
        for i, labels in enumerate(found.labels)
    }
    assert values == {"i0": [2, 3, 4, 5], "i1": [4, 6, 8, 10], "i2": [6, 9, 12, 15]}


def test_special_values_and_labels_survive(store: Store) -> None:
    result = store.instant("odd")
    assert row(result, **{"is": "inf"}) == [math.inf]
    assert row(result, **{"is": "minus"}) == [-math.inf]
    assert row(result, **{"is": 'a "quoted" \\ ü\n'}) == [1e-300]


def test_nan_is_a_value(store: Store) -> None:
    value = store.instant('odd{is="inf"} - odd{is="inf"}').value
    if store.kind == "victoria-metrics":  # NaN is "no value" in MetricsQL
        assert len(value) == 0
        return
    assert value.present.tolist() == [[True]]
    assert math.isnan(value.values[0, 0])


def test_nothing_found_is_an_empty_matrix_on_the_grid(store: Store) -> None:
    assert len(store.instant("no_such_metric").value) == 0
    ranged = store.range("no_such_metric", START, START + 60, 30).value
    assert ranged.values.shape == (0, 3)
    assert len(ranged.timestamps) == 3


def test_the_order_that_is_asked_for_is_kept(store: Store) -> None:
    result = store.instant("sort_desc(requests_total)")
    assert [labels["instance"] for labels in result.value.labels] == ["i2", "i1", "i0"]


@pytest.mark.parametrize("expr", ["sum(", "1 + ", "level{", 'level{job="a}'])
def test_what_is_not_promql_is_a_parse_error(expr: str, store: Store) -> None:
    with pytest.raises(ParseError):
        store.instant(expr)
    with pytest.raises(ParseError):
        store.range(expr, START, END, 60)


def test_what_cannot_be_matched_is_a_query_error(store: Store) -> None:
    with pytest.raises(QueryError):
        store.instant("level + on (job) level")


def test_a_step_must_be_positive(store: Store) -> None:
    with pytest.raises(ParseError, match="zero or negative"):
        store.range("level", START, END, 0)


def test_many_steps_are_one_answer(store: Store) -> None:
    value = store.range("requests_total", END - 600, END, 0.02).value
    assert value.values.shape == (3, 30_001)
    assert value.timestamps[-1] == END * 1000
    coarse = store.range("requests_total", END - 600, END, 10).value
    assert value.values[:, ::500].tolist() == coarse.values.tolist()


def test_several_queries_at_once_each_get_their_answer(store: Store) -> None:
    async def ask(n: int) -> float:
        result = await store.querier.instant(f"vector({n})", END * 1000)
        return float(result.value.values[0, 0])

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(ask(n) for n in range(40)))

    assert store.run(all_of_them()) == list(range(40))


def test_a_cancelled_query_does_not_spoil_the_next(store: Store) -> None:
    async def give_up() -> None:
        task = asyncio.create_task(store.querier.range("level", START * 1000, END * 1000, 1000))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    store.run(give_up())
    assert len(store.instant("level").value) == 2


def equal(name: str, value: str) -> Matcher:
    return Matcher(name, MatchOp.EQUAL, value)


def test_the_reader_names_series_labels_and_values(store: Store) -> None:
    reader, window = store.reader, (START * 1000, END * 1000)
    level = [equal("__name__", "level")]
    ended = [Matcher("__name__", MatchOp.REGEX, "ende.")]
    series = store.read(lambda: reader.series([level, ended], *window))
    assert [labels.name for labels in series] == ["ended", "level", "level"]
    assert len(store.read(lambda: reader.series([], *window))) >= 12
    names = store.read(lambda: reader.label_names([level], *window))
    assert names == ["__name__", "instance", "job"]
    assert "le" in store.read(lambda: reader.label_names([], *window))
    values = store.read(lambda: reader.label_values("instance", [level], *window))
    assert values == ["i0", "i1"]
    everything = store.read(lambda: reader.label_values("instance", [], -(2**62), 2**62))
    assert everything == ["i0", "i1", "i2"]


def test_the_reader_gives_samples_of_a_closed_range(store: Store) -> None:
    at = [(START + 15 * n) * 1000 + 3000 for n in (2, 3, 4)]
    chunks = store.read(
        lambda: list(store.reader.select([equal("__name__", "ended")], at[0], at[-1]))
    )
    assert [chunk.ts.tolist() for chunk in chunks] == [at]
    nothing = store.read(lambda: list(store.reader.select([equal("__name__", "x")], 0, 10)))
    assert sum(len(chunk) for chunk in nothing) == 0


def test_a_query_may_look_back_otherwise(store: Store) -> None:
    if store.kind == "prometheus":
        pytest.skip("Prometheus takes lookback_delta since 2.43; the one that tests start is older")
    # Samples come every 15 s; the newest before this time is 7 s old.
    at = END - 305
    for seconds, found in ((5, 0), (9, 2), (600, 2)):
        querier = looking_back(store.querier, seconds * 1000)
        value = store.run(querier.instant("level", at * 1000)).value
        assert len(value) == found
        times = (at * 1000, at * 1000 + 45_000, 15_000)
        matrix = store.run(querier.range("level", *times)).value
        assert matrix.present.sum() == 4 * found
    assert len(store.instant("level", at).value) == 2
