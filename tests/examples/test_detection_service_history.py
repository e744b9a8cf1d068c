"""The demo's history: the rehearsal's decks over days that have a shape."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from detection_service import history
from detection_service.history import STEP, extrapolated, parsed
from detection_service.recorded import recorded
from detection_service.season import DAY, activity
from detection_service.traffic import CARDS
from pynomaly.rules.defaults import default_groups

RATE = 12.0
TIMES = np.arange(0.0, 2 * DAY, STEP) + 20_000 * DAY

EXPOSITION = """\
# TYPE http_requests_total counter
http_requests_total{{endpoint="/a",status="200"}} {requests}
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{{endpoint="/a",le="0.1"}} {fast}
http_request_duration_seconds_bucket{{endpoint="/a",le="1.0"}} {requests}
http_request_duration_seconds_bucket{{endpoint="/a",le="+Inf"}} {requests}
http_request_duration_seconds_count{{endpoint="/a"}} {requests}
http_request_duration_seconds_sum{{endpoint="/a"}} {seconds}
# TYPE http_requests_created gauge
http_requests_created{{endpoint="/a",status="200"}} 1.7e9
# TYPE http_requests_in_flight gauge
http_requests_in_flight{{method="GET"}} 2
# TYPE model_accuracy_score gauge
model_accuracy_score {accuracy}
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e9
# TYPE archive_limit_bytes gauge
archive_limit_bytes 1000
"""


def rehearsed() -> dict[str, np.ndarray]:
    shots = [
        parsed(
            EXPOSITION.format(
                requests=100 * n, fast=80 * n, seconds=10.0 * n, accuracy=0.97 + 0.01 * (n % 2)
            )
        )
        for n in range(4)
    ]
    series = extrapolated(shots, TIMES, RATE, 0.0, seed=1)
    return {
        ",".join(f"{n}={v}" for n, v in key if n != "__name__") + dict(key)["__name__"]: values
        for key, values in series.items()
    }


@pytest.fixture(scope="module")
def series() -> dict[str, np.ndarray]:
    return rehearsed()


REQUESTS = "endpoint=/a,status=200http_requests_total"


def test_a_day_has_a_shape_and_its_mean_is_the_rate() -> None:
    day = activity(np.arange(0, DAY, 60), 0.0)
    assert day.mean() == pytest.approx(1.0, abs=0.01)
    assert day.min() > 0.3
    assert 2 <= day.argmin() / 60 <= 5
    assert 13 <= day.argmax() / 60 <= 19
    assert activity(np.array([0.0]), 3600.0) == activity(np.array([3600.0]), 0.0)


def test_counters_rise_as_the_decks_of_the_rehearsal_did(series: dict[str, np.ndarray]) -> None:
    requests = series[REQUESTS]
    assert (np.diff(requests) >= 0).all()
    per_second = requests[-1] / (2 * DAY)
    assert per_second == pytest.approx(100 * RATE / CARDS, rel=0.1)


def test_nights_are_quieter_than_days(series: dict[str, np.ndarray]) -> None:
    hourly = np.diff(series[REQUESTS][:: int(3600 / STEP)])
    assert hourly[2:5].mean() < 0.6 * hourly[13:17].mean()


def test_no_bucket_holds_more_than_the_next_and_the_last_one_all(
    series: dict[str, np.ndarray],
) -> None:
    name = "http_request_duration_seconds"
    small, large, all_ = (
        series[f"endpoint=/a,le={le}{name}_bucket"] for le in ("0.1", "1.0", "+Inf")
    )
    assert (small <= large).all()
    assert (large <= all_).all()
    assert np.array_equal(all_, series[f"endpoint=/a{name}_count"])
    assert small[-1] / all_[-1] == pytest.approx(0.8, abs=0.01)


def test_what_happens_again_and_again_happened_just_before() -> None:
    text = """\
# TYPE last_success_timestamp_seconds gauge
last_success_timestamp_seconds {last}
# TYPE model_loaded_timestamp_seconds gauge
model_loaded_timestamp_seconds 7
# TYPE training_samples_total counter
training_samples_total {samples}
"""
    shots = [parsed(text.format(last=1000 + n, samples=2000 * n)) for n in range(4)]
    found = extrapolated(shots, TIMES, RATE, 0.0, seed=1)
    series = {dict(key)["__name__"]: values for key, values in found.items()}
    assert np.array_equal(series["last_success_timestamp_seconds"], TIMES)
    assert set(series["model_loaded_timestamp_seconds"].tolist()) == {TIMES[0]}
    assert set((np.diff(series["training_samples_total"]) % 2000).tolist()) == {0.0}


def test_an_observation_in_the_middle_of_a_scrape_does_no_harm() -> None:
    shots = []
    for n in range(4):
        text = EXPOSITION.format(requests=100 * n, fast=80 * n, seconds=1.0, accuracy=1)
        shots.append(parsed(text.replace('le="1.0"}', 'le="1.0"} 70 #') if n == 1 else text))
    values = extrapolated(shots, TIMES[:50], RATE, 0.0, seed=1).values()
    assert all(np.isfinite(each).all() for each in values)


def test_when_all_are_quick_the_first_bucket_holds_all() -> None:
    shots = [
        parsed(EXPOSITION.format(requests=100 * n, fast=100 * n, seconds=1.0 * n, accuracy=1))
        for n in range(4)
    ]
    series = extrapolated(shots, TIMES, RATE, 0.0, seed=1)
    quick, all_ = (
        next(v for k, v in series.items() if dict(k).get("le") == le) for le in ("0.1", "+Inf")
    )
    assert np.array_equal(quick, all_)


def test_gauges_are_as_they_were_seen(series: dict[str, np.ndarray]) -> None:
    assert set(series["archive_limit_bytes"].tolist()) == {1000.0}
    assert set(series["process_start_time_seconds"].tolist()) == {TIMES[0]}
    accuracy = series["model_accuracy_score"]
    assert 0.9 < accuracy.min() < accuracy.max() <= 1.0
    assert not [name for name in series if name.endswith("_created")]


def test_those_in_flight_are_arrivals_times_the_time_of_each(
    series: dict[str, np.ndarray],
) -> None:
    expected = 100 * RATE / CARDS * 0.1  # a request takes 0.1 s
    assert series["method=GEThttp_requests_in_flight"].mean() == pytest.approx(expected, rel=0.2)


def test_the_recorded_series_are_those_of_the_rules_and_of_the_error_budget() -> None:
    rules = Path(history.__file__).with_name("rules.yml")
    (group,) = yaml.safe_load(rules.read_text())["groups"]
    names = {rule["record"] for rule in group["rules"] if "record" in rule}
    shipped = {r.record for g in default_groups(["slo"]) for r in g.rules if r.record}
    budget = {"job:http_requests:rate5m", "job:http_request_errors:rate5m"}
    assert budget <= shipped
    assert {dict(key)["__name__"] for key in recorded({}, STEP, 3)} == names | budget


def test_the_recorded_quantile_lies_within_its_bucket_as_in_promql() -> None:
    def key(name: str, **labels: str) -> history.Key:
        return tuple(sorted({**labels, "__name__": name}.items()))

    bucket, ones = "http_request_duration_seconds_bucket", np.ones(2)
    steps = {key(bucket, le="0.1"): 50 * ones, key(bucket, le="0.5"): 90 * ones}
    steps |= {key(bucket, le="1.0"): 100 * ones, key(bucket, le="+Inf"): 100 * ones}
    steps |= {key("http_requests_total", status="200"): 60 * ones}
    steps |= {key("http_requests_total", status="503"): 40 * ones}
    found = {dict(k)["__name__"]: v for k, v in recorded(steps, 10.0, 2).items()}
    assert found["detection_service:latency_seconds:p95_30s"].tolist() == [0.75, 0.75]
    assert found["detection_service:errors:ratio30s"].tolist() == [0.4, 0.4]
    assert found["detection_service:requests:rate30s"].tolist() == [10.0, 10.0]


def test_the_file_names_its_series_as_a_scrape_would(tmp_path: Path) -> None:
    shots = [parsed(f'# TYPE a_total counter\na_total{{x="q\\"",y=""}} {n}\n') for n in range(4)]
    series = extrapolated(shots, TIMES[:3], RATE, 0.0, seed=1)
    named = {history._labelled(key, "i"): values for key, values in series.items()}
    history._write_csv(tmp_path / "h.csv", TIMES[:3], named)
    header, *rows = csv.reader((tmp_path / "h.csv").open())
    assert header[:2] == ["timestamp", 'a_total{instance="i",job="detection-service",x="q\\""}']
    assert 'detection_service:requests:rate30s{job="detection-service"}' in header
    assert len(rows) == 3
