"""The heat map of anomalies."""

import json

from pynomaly.figures.anomalies import HOUR_MS, OTHERS, anomaly_rate, anomaly_rate_figure

HOUR = 3600.0
NOW = round(1000 * HOUR + 1800)


def test_anomalies_are_counted_by_hour_and_service_the_most_first() -> None:
    starts = [("a", NOW - 10.0), ("b", NOW - 20.0), ("b", NOW - 30.0), ("b", NOW - 2 * HOUR)]
    rate = anomaly_rate(starts, NOW * 1000, 3)
    assert rate.services == ["b", "a"]
    assert rate.hours == [998 * HOUR_MS, 999 * HOUR_MS, 1000 * HOUR_MS]
    assert rate.counts.tolist() == [[1, 0, 2], [0, 0, 1]]


def test_what_began_before_the_first_hour_is_left_out() -> None:
    rate = anomaly_rate([("a", NOW - 3 * HOUR)], NOW * 1000, 3)
    assert (rate.services, rate.counts.shape) == ([], (0, 3))


def test_an_hour_without_anomalies_is_empty_and_no_service_has_a_name() -> None:
    figure = anomaly_rate_figure(anomaly_rate([("", NOW - 1.0)], NOW * 1000, 2))
    (trace,) = figure["data"]
    assert trace["z"] == [[None, 1]]
    assert trace["x"][1] == 1000 * HOUR_MS + HOUR_MS // 2  # the middle of the hour
    assert trace["meta"]["services"] == [""]
    assert figure["layout"]["yaxis"]["ticktext"] == ["no service"]
    json.dumps(figure)


def test_many_services_are_twenty_and_the_others() -> None:
    starts = [(f"s{n:02}", NOW - 1.0) for n in range(25)]
    figure = anomaly_rate_figure(anomaly_rate(starts, NOW * 1000, 1))
    assert len(figure["data"][0]["z"]) == 21
    assert figure["data"][0]["z"][-1] == [5]
    assert figure["layout"]["yaxis"]["ticktext"][-1] == OTHERS
