"""The Python API of the guide, on whatever data people have."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from pynomaly.infrastructure.monitoring.advanced_monitoring import (
    AdvancedMonitoringOrchestrator,
    AnomalyDetector,
)
from pynomaly.model.clock import FakeClock

RNG = np.random.default_rng(11)
START = dt.datetime(2026, 3, 2)


def usual(rows: int = 600) -> np.ndarray:
    return RNG.normal(50, 5, rows)


def test_the_example_of_the_guide() -> None:
    pytest.importorskip("sklearn")
    historical_data, new_data = usual(1000), np.array([51.0, 48.0, 500.0, 49.0])
    detector = AnomalyDetector(contamination=0.1)
    detector.fit(historical_data)
    anomalies = detector.detect_anomalies(new_data)
    scores = detector.get_anomaly_scores(new_data)
    assert anomalies[2]
    assert scores.argmax() == 2
    assert ((scores >= 0) & (scores <= 1)).all()


def test_contamination_is_the_share_of_the_training_that_is_found() -> None:
    data = usual(2000)
    for share in (0.02, 0.2):
        detector = AnomalyDetector(share, algorithm="statistical").fit(data)
        assert detector.detect_anomalies(data).mean() == pytest.approx(share, abs=0.02)


def test_a_constant_history_has_no_anomalies_until_it_moves() -> None:
    detector = AnomalyDetector(algorithm="statistical").fit([5.0] * 200)
    assert detector.detect_anomalies([5.0, 5.0, 9.0]).tolist() == [False, False, True]


def test_a_row_is_as_unusual_as_its_most_unusual_column() -> None:
    data = RNG.normal([0, 100], [1, 10], (800, 2))
    detector = AnomalyDetector(0.01, algorithm="statistical").fit(data)
    new = np.array([[0.0, 100.0], [9.0, 100.0], [0.0, 20.0], [np.nan, 100.0], [np.nan, np.nan]])
    scores = detector.get_anomaly_scores(new)
    assert scores.shape == (5,)
    assert (scores[[1, 2]] > 0.5).all()
    assert scores[0] < 0.5
    assert not np.isnan(scores[3])
    assert np.isnan(scores[4])
    assert not detector.detect_anomalies(new)[4]


def test_a_row_does_not_depend_on_those_after_it() -> None:
    detector = AnomalyDetector(algorithm="seasonal").fit(usual())
    new = usual(50)
    whole = detector.get_anomaly_scores(new)
    one_by_one = [detector.get_anomaly_scores(new[: i + 1])[-1] for i in range(50)]
    assert whole == pytest.approx(one_by_one)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([1.0] * 40, "there are 40 rows; at least 100 are needed to train"),
        (["a"] * 200, "numbers"),
        (np.zeros((3, 3, 3)), "3 dimensions"),
        ([np.nan] * 200, "fewer than 100 values"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(data: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AnomalyDetector(algorithm="statistical").fit(data)


def test_it_must_be_fitted_and_shown_the_same_columns() -> None:
    detector = AnomalyDetector(algorithm="statistical")
    for ask in (detector.detect_anomalies, detector.get_anomaly_scores):
        with pytest.raises(ValueError, match="call fit first"):
            ask([1.0])
    detector.fit(usual())
    with pytest.raises(ValueError, match="2 columns of numbers; trained on 1"):
        detector.get_anomaly_scores(np.zeros((5, 2)))
    assert detector.get_anomaly_scores([]).shape == (0,)


def _hourly(days: int) -> tuple[list[dt.datetime], np.ndarray]:
    times = [START + dt.timedelta(minutes=10 * i) for i in range(days * 144)]
    hours = np.array([t.hour for t in times])
    return times, np.where(hours == 6, 90.0, 20.0) + RNG.normal(0, 1, len(times))


def test_with_an_index_of_dates_hours_count_and_gaps_are_gaps() -> None:
    pandas = pytest.importorskip("pandas")
    times, values = _hourly(16)
    series = pandas.Series(values, index=pandas.DatetimeIndex(times))
    training, new = series[: 14 * 144], series[14 * 144 :].copy()
    detector = AnomalyDetector(0.001, algorithm="seasonal").fit(
        training.drop(training.index[500:550])
    )
    new.iloc[100] = 90.0  # usual at six, not in the afternoon
    scores = detector.get_anomaly_scores(new.drop(new.index[40:50]))
    assert len(scores) == 2 * 144 - 10
    assert scores[90] > 0.5
    assert scores[36 - 0 : 40].max() < scores[90]


def test_frames_of_pandas_may_have_words_zones_and_missing_values() -> None:
    pandas = pytest.importorskip("pandas")
    times, values = _hourly(4)
    frame = pandas.DataFrame(
        {
            "at": pandas.DatetimeIndex(times).tz_localize("Europe/Berlin"),
            "host": "a",
            "cpu": values,
            "load": pandas.array([None, *(values[1:] / 10)], dtype="Float64"),
        }
    )
    detector = AnomalyDetector(algorithm="statistical").fit(frame)
    assert detector.get_anomaly_scores(frame).shape == (len(frame),)
    with pytest.raises(ValueError, match="do not rise"):
        detector.fit(frame[::-1])
    with pytest.raises(ValueError, match=r"no column of numbers \(columns: host\)"):
        detector.fit(frame[["host"]])


def test_the_hour_that_clocks_show_twice_is_two_hours() -> None:
    pandas = pytest.importorskip("pandas")
    index = pandas.date_range("2026-10-10", periods=21 * 144, freq="10min", tz="Europe/Berlin")
    values = np.where(index.hour == 6, 90.0, 20.0) + RNG.normal(0, 1, len(index))
    series = pandas.Series(values, index=index)  # clocks are set back on the 25th
    detector = AnomalyDetector(0.001, algorithm="seasonal").fit(series[: 13 * 144])
    assert not np.nanmax(detector.get_anomaly_scores(series[13 * 144 :])) > 0.8
    assert AnomalyDetector(algorithm="seasonal").fit(series).threshold < 0.5


def test_frames_of_polars_are_as_those_of_pandas() -> None:
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    times, values = _hourly(4)
    columns = {"at": times, "cpu": values}
    one = AnomalyDetector(algorithm="seasonal").fit(polars.DataFrame(columns))
    other = AnomalyDetector(algorithm="seasonal").fit(pandas.DataFrame(columns))
    assert one.get_anomaly_scores(polars.DataFrame(columns)) == pytest.approx(
        other.get_anomaly_scores(pandas.DataFrame(columns))
    )


async def test_values_that_are_handed_in_are_judged_when_enough_were_seen() -> None:
    clock = FakeClock()
    monitor = AdvancedMonitoringOrchestrator(clock=clock)
    verdicts = []
    for _ in range(400):
        clock._now += 60
        verdicts.append(await monitor.process_metric_data("cpu_usage", 75.0 + RNG.normal(0, 1)))
    assert verdicts[0].learning
    assert not verdicts[-1].learning
    assert verdicts[-1].lower < 75.0 < verdicts[-1].upper
    assert not any(each.anomaly for each in verdicts)
    clock._now += 60
    found = await monitor.process_metric_data("cpu_usage", 300.0)
    assert found.anomaly
    assert found.score > 0.5
    assert found.confidence > 0.5


async def test_metrics_do_not_influence_each_other() -> None:
    together, alone = (AdvancedMonitoringOrchestrator(clock=FakeClock()) for _ in range(2))
    for at in range(150):
        for other in range(40):
            await together.process_metric_data(f"m{other}", RNG.normal(), timestamp=at * 60.0)
        value = float(RNG.normal())
        seen = await together.process_metric_data("mine", value, timestamp=at * 60.0)
        assert await alone.process_metric_data("mine", value, timestamp=at * 60.0) == pytest.approx(
            seen, nan_ok=True
        ) or (seen.learning and at < 149)


async def test_what_is_no_value_of_a_metric_is_refused() -> None:
    monitor = AdvancedMonitoringOrchestrator()
    with pytest.raises(ValueError, match="no name"):
        await monitor.process_metric_data("", 1.0)
    with pytest.raises(ValueError, match="value of cpu_usage is not a number"):
        await monitor.process_metric_data("cpu_usage", float("nan"))
