"""Rules of what is told: columns for all rows do what each rule says of each series."""

import asyncio

import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import anomaly_rules
from pynomaly.api.app import create_app
from pynomaly.detection.rules.applied import Applied
from pynomaly.detection.rules.config import AnomalyRule, MinTraffic
from pynomaly.detection.rules.repository import RuleRepository
from pynomaly.detection.rules.service import AnomalyRules, NoSuchRule, RuleIsConfigured
from pynomaly.detection.rules.traffic import Measured
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match
from pynomaly.promql.contract import Matrix, QueryError, QueryResult
from pynomaly.storage.records import Records

NOW = 1_700_000_000.0
BUDGET = 0.1


def rule(*matchers: str, **wanted: object) -> AnomalyRule:
    return AnomalyRule.model_validate({"matchers": matchers, **wanted})


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def one_by_one(rules: list[AnomalyRule], labels: Labels, value: float, expected: float) -> float:
    """What the rules want of one point: decades, or infinite."""
    mine = [each for each in rules if all_match(each.parsed, labels)]
    away, decades = value - expected, 0.0
    budgets = [each.budget for each in mine if each.budget is not None]
    if budgets:
        decades = float(np.log10(BUDGET / np.float32(min(budgets))))
    for each in mine:
        wrong = each.direction == ("below" if away >= 0 else "above")
        near = abs(away) < each.min_deviation
        near |= abs(away) < np.float32(each.min_relative_deviation) * abs(expected)
        if each.ignore or wrong or near:
            return float("inf")
    return decades


@pytest.mark.parametrize("seed", range(20))
def test_what_is_wanted_of_all_rows_is_what_each_rule_says_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offered = [
        rule('service="a"', direction="above"),
        rule('service=~"a|b"', min_deviation=3),
        rule("__name__=m1", min_relative_deviation=0.5),
        rule('service!="c"', budget=0.01),
        rule("metric=m2", budget=1.0, direction="below"),
        rule('service="d"', ignore=True),
    ]
    rules = [each for each in offered if rng.random() < 0.6]
    labels = [series(f"m{rng.integers(3)}", service="abcd"[rng.integers(4)]) for _ in range(40)]
    values, expected = rng.normal(scale=4, size=(2, 40))
    applied = Applied(BUDGET)
    applied.take(rules)
    applied.look(labels[:25])
    applied.look(labels)  # the others came later
    rows = np.flatnonzero(rng.random(40) < 0.7)
    found = np.broadcast_to(applied.handicap(rows, values[rows], expected[rows]), len(rows))
    wanted = [one_by_one(rules, labels[i], values[i], expected[i]) for i in rows.tolist()]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_rows_that_have_other_numbers_are_matched_anew() -> None:
    applied = Applied(BUDGET)
    applied.take([rule("service=a", ignore=True)])
    applied.look([series("m", service="b"), series("m", service="a")])
    assert applied.muted_below(2).tolist() == [False, True]
    applied.begin_anew()
    applied.look([series("m", service="a")])
    assert applied.muted_below(1).tolist() == [True]
    assert applied.matched() == [1]


class Answers:
    """A querier that knows one vector."""

    def __init__(self, vector: dict[Labels, float]) -> None:
        self.vector = vector
        self.asked: list[str] = []

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        self.asked.append(expr)
        if not self.vector:
            raise QueryError("no")
        values = np.array([[value] for value in self.vector.values()])
        return QueryResult(Matrix(list(self.vector), np.array([at_ms]), values, ~np.isnan(values)))


def test_traffic_is_the_sum_of_what_agrees_in_the_labels_that_both_have() -> None:
    measured = Measured(MinTraffic(metric="requests_total", at_least=10))
    assert measured.expr == 'rate({__name__="requests_total"}[5m])'
    querier = Answers(
        {
            Labels({"service": "a", "code": "200"}): 8.0,
            Labels({"service": "a", "code": "500"}): 4.0,
            Labels({"service": "b", "code": "200"}): 9.0,
        }
    )
    asyncio.run(measured.read(querier, 0))  # type: ignore[arg-type]
    asked = [
        series("took", service="a", quantile="0.99"),
        series("took", service="b"),
        series("took", service="a", code="500"),
        series("took", service="c"),
    ]
    assert measured.enough(asked).tolist() == [True, False, False, False]
    querier.vector = {}
    asyncio.run(measured.read(querier, 0))  # type: ignore[arg-type]
    assert measured.enough(asked).tolist() == [True, False, False, False]  # as last known


async def test_without_enough_traffic_nothing_is_told() -> None:
    applied = Applied(BUDGET)
    applied.take([rule("metric=took", min_traffic={"query": "traffic", "at_least": 5})])
    labels = [series("took", service=each) for each in "ab"]
    querier = Answers({Labels({"service": "a"}): 6.0, Labels({"service": "b"}): 1.0})
    await applied.read_traffic(querier, 0)  # type: ignore[arg-type]
    applied.look(labels)
    found = applied.handicap(np.arange(2), np.ones(2), np.zeros(2))
    assert np.asarray(found).tolist() == [0, np.inf]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "the rule changes nothing"),
        ({"direction": "up"}, "'above', 'below' or 'both'"),
        ({"matchers": ["service"]}, "is not a matcher"),
        ({"matchers": ["service=~("], "ignore": True}, "is not a valid RE2"),
        ({"min_traffic": {"at_least": 1}}, "either by metric or by query"),
        ({"budget": 0}, "greater than 0"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("'", ".")):
        AnomalyRule.model_validate({"matchers": ["service=a"], **wanted})


class Desk:
    """Rules of the configuration and of the records, and what was applied last."""

    def __init__(self, records: Records) -> None:
        self.applied: list[AnomalyRule] = []
        self.rules = AnomalyRules(
            [rule("job=batch", ignore=True)],
            RuleRepository(records),
            FakeClock(NOW),
            self.take,
            lambda: [7] * len(self.applied),
        )

    def take(self, rules: list[AnomalyRule]) -> None:  # type: ignore[override]
        self.applied = list(rules)


@pytest.fixture
def desk(records: Records) -> Desk:
    return Desk(records)


async def test_a_rule_holds_at_once_and_after_a_restart(desk: Desk, records: Records) -> None:
    kept = await desk.rules.add(rule("service=a", direction="above"), "me")
    assert [each.matchers for each in desk.applied] == [("job=batch",), ("service=a",)]
    again = Desk(records)
    assert [each.id for each in await again.rules.take_up()][1] == kept.id
    assert again.applied == desk.applied
    await again.rules.remove(kept.id)
    assert len(again.applied) == 1
    with pytest.raises(NoSuchRule):
        await again.rules.remove(kept.id)
    with pytest.raises(RuleIsConfigured):
        await again.rules.remove((await again.rules.all())[0].id)


async def test_rules_over_the_api(desk: Desk) -> None:
    app = create_app([anomaly_rules.router(desk.rules)])
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        path = "/api/anomalies/rules"
        body = {"matchers": ['service="shop"'], "min_deviation": 5, "direction": "above"}
        made = (await client.post(path, json=body)).json()
        assert made["says"] == "tells only what is above expected, and off by at least 5"
        found = (await client.get(path)).json()["rules"]
        assert [(each["configured"], each["matches"]) for each in found] == [(True, 7), (False, 7)]
        assert found[1]["created_by"] == "local"
        assert (await client.delete(f"{path}/{found[0]['id']}")).status_code == 409
        assert (await client.delete(f"{path}/{made['id']}")).status_code == 204
        assert (await client.delete(f"{path}/{made['id']}")).status_code == 404
        refused = await client.post(path, json={"matchers": ["service=a"]})
        assert refused.status_code in (400, 422)
        assert "changes nothing" in refused.text
    assert len(desk.applied) == 1
