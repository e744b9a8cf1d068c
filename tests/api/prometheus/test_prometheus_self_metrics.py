"""Metric families as protobuf's JSON."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary

from pynomaly.api.prometheus.self_metrics import described


def test_families_come_by_name_with_labels_and_values() -> None:
    registry = CollectorRegistry()
    asked = Counter("asked", "Questions.", ["kind", "by"], registry=registry)
    asked.labels(kind="b", by="me").inc(2)
    Gauge("warm", "How warm.", registry=registry).set(20.5)
    Info("built", "By whom.", registry=registry).info({"version": "1"})
    Counter("never", "No label yet.", ["kind"], registry=registry)
    assert described(registry.collect()) == [
        {
            "name": "asked_total",
            "help": "Questions.",
            "type": "COUNTER",
            "metric": [
                {
                    "label": [{"name": "by", "value": "me"}, {"name": "kind", "value": "b"}],
                    "counter": {"value": 2},
                }
            ],
        },
        {
            "name": "built_info",
            "help": "By whom.",
            "type": "GAUGE",
            "metric": [{"label": [{"name": "version", "value": "1"}], "gauge": {"value": 1}}],
        },
        {
            "name": "warm",
            "help": "How warm.",
            "type": "GAUGE",
            "metric": [{"gauge": {"value": 20.5}}],
        },
    ]


def test_distributions_have_their_buckets_without_the_last() -> None:
    registry = CollectorRegistry()
    took = Histogram("took", "Seconds.", ["by"], buckets=(0.5, 1), registry=registry)
    for seconds in (0.1, 0.7, 9):
        took.labels("me").observe(seconds)
    Summary("size", "Bytes.", registry=registry).observe(3)
    size, seconds_taken = described(registry.collect())
    assert size["metric"] == [{"summary": {"sampleCount": "1", "sampleSum": 3}}]
    assert seconds_taken["metric"] == [
        {
            "label": [{"name": "by", "value": "me"}],
            "histogram": {
                "sampleCount": "3",
                "sampleSum": 9.8,
                "bucket": [
                    {"cumulativeCount": "1", "upperBound": 0.5},
                    {"cumulativeCount": "2", "upperBound": 1},
                ],
            },
        }
    ]


def test_what_json_has_no_number_for_is_a_text() -> None:
    registry = CollectorRegistry()
    odd = Gauge("odd", "Odd.", ["value"], registry=registry)
    for value in (math.nan, math.inf, -math.inf):
        odd.labels(str(value)).set(value)
    [family] = described(registry.collect())
    values = [metric["gauge"]["value"] for metric in family["metric"]]
    assert values == ["NaN", "Infinity", "-Infinity"]


def test_only_the_families_wanted_are_shown() -> None:
    registry = CollectorRegistry()
    Gauge("one", "One.", registry=registry)
    Gauge("two", "Two.", registry=registry)
    found = described(registry.collect(), lambda name: name == "two")
    assert [family["name"] for family in found] == ["two"]
