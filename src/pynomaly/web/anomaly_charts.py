"""What is drawn of an anomaly: its series, what was expected of it, and its band."""

from typing import Any

from pynomaly.detection.events import Anomaly, trained_by
from pynomaly.detection.histograms import QUANTILE, QUANTILES, SUFFIX
from pynomaly.detection.points import is_counter
from pynomaly.detection.verdicts import BAND, verdict_labels
from pynomaly.detection.watched.loaded import watched_labels
from pynomaly.model.labels import METRIC_NAME, Labels, quoted

Query = dict[str, Any]

_LEGENDS = ("expected", "band from", "band to")


def chart_queries(anomaly: Anomaly) -> list[Query]:
    """The series (of a counter its rate), what was expected of it, and its band, in this order."""
    labels = anomaly.labels
    if anomaly.watched:
        algorithm = next((each["algorithm"] for each in trained_by(anomaly.cause)), "")
        bands = [watched_labels(labels, anomaly.watched, algorithm, name) for name in BAND]
    else:
        bands = [verdict_labels(labels, name) for name in BAND]
    verdicts = zip(bands, _LEGENDS, strict=True)
    return [
        {"expr": _drawn(anomaly), "legend": ""},
        *({"expr": selector(band), "legend": legend} for band, legend in verdicts),
    ]


def _drawn(anomaly: Anomaly) -> str:
    if anomaly.watched and anomaly.labels.name == anomaly.watched:
        return only(anomaly.expr, anomaly.labels)
    series = selector(anomaly.labels)
    if anomaly.labels.get(QUANTILE, "") in map(str, QUANTILES):
        return f"{series} or on () {_quantile(anomaly.labels)}"
    return f"rate({series}[$__rate_interval])" if is_counter(anomaly.labels.name) else series


def _quantile(labels: Labels) -> str:
    """A quantile of a classic histogram, which is judged but not stored."""
    name = labels.name + SUFFIX
    buckets = selector(labels.without(QUANTILE).with_(**{METRIC_NAME: name}))
    return f"histogram_quantile({float(labels[QUANTILE])}, rate({buckets}[$__rate_interval]))"


def only(expr: str, labels: Labels) -> str:
    """Of an expression's series the one with these labels, whatever its name is.

    >>> only("sum by (job) (up)", Labels({"__name__": "x", "job": "a"}))
    '(sum by (job) (up)) and on (job) label_replace(vector(1), "job", "a", "", "")'
    """
    pairs = [(name, value) for name, value in labels.items() if name != METRIC_NAME]
    if not pairs:
        return expr
    one = "vector(1)"
    for name, value in pairs:
        literal = quoted(value.replace("$", "$$"))
        one = f'label_replace({one}, {quoted(name)}, {literal}, "", "")'
    return f"({expr}) and on ({', '.join(_name(name) for name, _ in pairs)}) {one}"


def selector(labels: Labels) -> str:
    """The selector of one series, whatever its names are.

    >>> selector(Labels({"__name__": "up", "job": "a"}))
    '{__name__="up", job="a"}'
    """
    pairs = [(METRIC_NAME, labels.name), *((n, v) for n, v in labels.items() if n != METRIC_NAME)]
    return "{" + ", ".join(f"{_name(n)}={quoted(v)}" for n, v in pairs) + "}"


def _name(name: str) -> str:
    plain = name.isascii() and name.isidentifier()
    return name if plain else quoted(name)
