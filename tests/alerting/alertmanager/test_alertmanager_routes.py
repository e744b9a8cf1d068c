"""The routing tree: where alerts end, and what the nodes have from above."""

from pathlib import Path
from typing import NamedTuple

import pytest

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig, RouteConfig
from pynomaly.alerting.alertmanager.matchers import parse_matcher
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.model.document import TextLoader, load
from pynomaly.model.labels import Labels

CASES = Path(__file__).parent.parent / "cases" / "routing.txt"


class Case(NamedTuple):
    name: str
    tree: str
    expected: list[tuple[str, str]]


def cases() -> list[Case]:
    found = []
    for block in CASES.read_text(encoding="utf-8").split("\n== ")[1:]:
        name, _, body = block.partition("\n")
        lines = body.splitlines()
        facts = [line[3:].split(" -> ") for line in lines if line.startswith("-- ")]
        tree = "\n".join(line for line in lines if not line.startswith("-- "))
        found.append(Case(name, tree, [(labels, ends) for labels, ends in facts]))
    return found


def tree(text: str) -> Route:
    route = load(text, "tree", RouteConfig, loader=TextLoader)
    return build_routes(AlertmanagerConfig(route=route))


def labels_of(text: str) -> Labels:
    if text == "-":
        return Labels()
    parts = [text] if '"' in text else text.split(" ")
    return Labels((m.name, m.value) for m in map(parse_matcher, parts))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_alerts_end_where_alertmanager_takes_them(case: Case):
    root = tree(case.tree)
    for labels, expected in case.expected:
        ends = root.match(labels_of(labels))
        assert ", ".join(f"{end.receiver} {end.key}" for end in ends) == expected, labels


def test_the_file_of_cases_is_read_whole():
    assert len(cases()) == CASES.read_text(encoding="utf-8").count("\n== ")
    assert all(case.expected for case in cases())


def test_a_root_that_says_nothing_has_the_defaults_of_alertmanager():
    root = tree("receiver: x")
    assert (root.group_wait, root.group_interval, root.repeat_interval) == (30.0, 300.0, 14_400.0)
    assert (root.group_by, root.group_by_all) == (frozenset(), False)


def test_a_node_has_from_above_what_it_does_not_say():
    root = tree(
        """
        receiver: top
        group_by: [alertname, job]
        group_wait: 1s
        group_interval: 2s
        repeat_interval: 3s
        routes:
          - group_wait: 0s
            routes:
              - {receiver: bottom, repeat_interval: 1h}
        """
    )
    middle = root.children[0]
    bottom = middle.children[0]
    assert (middle.receiver, middle.group_wait, middle.group_interval) == ("top", 0.0, 2.0)
    assert (bottom.receiver, bottom.group_wait, bottom.repeat_interval) == ("bottom", 0.0, 3600.0)
    assert bottom.group_by == frozenset({"alertname", "job"})


def test_time_intervals_are_not_inherited():
    root = tree(
        """
        receiver: x
        routes:
          - mute_time_intervals: [nights]
            active_time_intervals: [days]
            routes: [{}]
        """
    )
    above = root.children[0]
    assert (above.mute_time_intervals, above.active_time_intervals) == (("nights",), ("days",))
    below = above.children[0]
    assert (below.mute_time_intervals, below.active_time_intervals) == ((), ())


def test_grouping_by_all_labels_is_inherited_until_a_node_names_some():
    root = tree(
        """
        receiver: x
        group_by: ['...']
        routes:
          - matchers: [a="1"]
          - {matchers: [a="2"], group_by: [job]}
          - {matchers: [a="3"], group_by: []}
        """
    )
    alert = Labels({"job": "db", "instance": "1"})
    grouped = [dict(node.group_labels(alert)) for node in root.children]
    assert grouped == [dict(alert), {"job": "db"}, {}]


def test_labels_of_routes_add_up_and_the_lower_wins():
    root = tree(
        """
        receiver: x
        labels: {team: ops, level: '1'}
        routes:
          - labels: {level: '2', "self": a}
        """
    )
    assert dict(root.children[0].labels) == {"team": "ops", "level": "2", "self": "a"}


def test_ids_are_unique_where_keys_are_not_and_children_are_numbered_first():
    root = tree(
        """
        receiver: x
        routes:
          - {matchers: [a="1"], routes: [{matchers: [b="2"]}]}
          - {matchers: [a="1"]}
        """
    )
    nodes = list(root.walk())
    assert [node.id for node in nodes] == [
        "{}",
        '{}/{a="1"}/0',
        '{}/{a="1"}/0/{b="2"}/0',
        '{}/{a="1"}/1',
    ]
    assert [node.index for node in nodes] == [3, 1, 0, 2]
    assert nodes[1].key == nodes[3].key
