"""What else moved with an anomaly."""

from dataclasses import replace

from test_detection_feedback import anomaly

from pynomaly.detection.explanation import moved_with


def test_others_are_ranked_by_shared_labels_and_time() -> None:
    one = anomaly(1000, job="api", instance="a")
    near = anomaly(1010, job="db")
    kin = replace(anomaly(1200, job="api", instance="a", path="/"), score=0.9)
    far = anomaly(1590, job="db")
    found = moved_with(one, [far, near, kin])
    assert [each.anomaly for each in found] == [kin, near, far]
    assert found[0].shared == {"instance": "a", "job": "api"}
    assert (found[0].seconds, found[1].shared) == (200, {})
    assert all(0 <= each.likeness <= 1 for each in found)


def test_only_others_of_ten_minutes_before_and_after_moved_with_it() -> None:
    one = anomaly(1000, job="api")
    early, late = anomaly(399, job="api", a="1"), anomaly(1601, job="api", a="2")
    edges = [anomaly(400, job="api", a="3"), anomaly(1600, job="api", a="4")]
    again = anomaly(1300, job="api")  # the same series
    assert {each.anomaly.id for each in moved_with(one, [early, late, *edges, again])} == {
        each.id for each in edges
    }


def test_no_more_than_twenty_are_named() -> None:
    one = anomaly(1000)
    assert len(moved_with(one, [anomaly(1001, a=str(n)) for n in range(50)])) == 20
