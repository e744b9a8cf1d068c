import json

import numpy as np
import plotly.graph_objects as go

from pynomaly.figures.events import Happening, with_events
from pynomaly.figures.palette import OKABE_ITO, slot_style
from pynomaly.figures.series import legend_names, top_rows
from pynomaly.figures.timeseries import Line, Mark, Threshold, timeseries
from pynomaly.model.labels import Labels


def a_line(*values: float) -> Line:
    return Line("key", "name", "title", np.array(values))


def test_plotly_accepts_the_figure_as_it_is() -> None:
    figure = timeseries(
        [a_line(1.0, np.nan, 3.0)],
        0,
        15_000,
        unit="B",
        zero=True,
        thresholds=[Threshold(2.0, "limit")],
        marks=[Mark(15_000, "deployment")],
    )
    assert go.Figure(figure).data[0].y == (1.0, None, 3.0)
    json.dumps(figure, allow_nan=False)


def test_an_event_is_labelled_and_a_threshold_is_dashed() -> None:
    layout = timeseries([], 0, 1, thresholds=[Threshold(2.0)], marks=[Mark(7, "x")])["layout"]
    assert [shape["line"]["dash"] for shape in layout["shapes"]] == ["dash", "dot"]
    assert [note["text"] for note in layout["annotations"]] == ["x"]


def test_series_can_be_told_apart_beyond_eight() -> None:
    styles = [tuple(slot_style(slot).values()) for slot in range(3 * len(OKABE_ITO))]
    assert len(set(styles)) == len(styles)


def test_the_greatest_series_by_their_mean_are_kept_greatest_first() -> None:
    values = np.array([[1.0, 1.0], [9.0, np.nan], [np.nan, np.nan], [5.0, 5.0], [np.inf, 0.0]])
    assert top_rows(values, 2) == [1, 3]
    assert top_rows(values, 9) == [0, 1, 2, 3, 4]


def test_a_legend_says_only_what_differs() -> None:
    one = Labels({"__name__": "up", "job": "a", "zone": "x"})
    assert legend_names([one, one.with_(job="b")]) == ["job=a", "job=b"]
    assert legend_names([one, one.with_(__name__="down")]) == ["up", "down"]
    assert legend_names([Labels()], fallback="1 + 1") == ["1 + 1"]


def test_a_legend_follows_its_template() -> None:
    one = Labels({"instance": "db"})
    assert legend_names([one], "{{ instance }} of {{job}}") == ["db of"]


def test_events_stand_as_lines_and_shades_with_their_words() -> None:
    events = [
        Happening("deployment", "api 2", 60_000, by="anna"),
        Happening("maintenance", "new disks", 120_000, 3_720_000),
    ]
    figure = with_events(timeseries([a_line(1.0)], 0, 15_000), events)
    drawn = go.Figure(figure).layout
    assert [(shape.type, shape.x0, shape.x1) for shape in drawn.shapes] == [
        ("line", 60_000, 60_000),
        ("rect", 120_000, 3_720_000),
    ]
    assert [note.text for note in drawn.annotations] == ["api 2", "new disks"]
    assert drawn.meta["events"] == [
        "1970-01-01 00:01: api 2 (deployment, by anna)",
        "1970-01-01 00:02 to 1970-01-01 01:02: new disks (maintenance)",
    ]
