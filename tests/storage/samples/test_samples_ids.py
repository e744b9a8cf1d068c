"""The engine computes the same series id."""

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels, series_id
from pynomaly.storage.samples.schema import SQL_SERIES_ID
from pynomaly.storage.samples.store import SampleStore

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
label_sets = st.dictionaries(st.one_of(st.just("__name__"), texts), texts, max_size=8).map(Labels)


@given(series=st.lists(label_sets, min_size=1, max_size=40))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_sql_and_python_agree_on_ids(store: SampleStore, series: list[Labels]) -> None:
    found = store.engine.query(
        f"SELECT {SQL_SERIES_ID} AS id FROM"
        " (SELECT arrayJoin({sets:Array(Map(String, String))}) AS labels)",
        {"sets": [dict(labels.pairs) for labels in series]},
    )
    assert found["id"].type == pa.uint64()
    assert sorted(found["id"].to_pylist()) == sorted(map(series_id, series))
