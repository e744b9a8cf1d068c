"""/api/anomalies."""

from dataclasses import replace

import httpx
import pytest

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import anomalies as anomalies_api
from pynomaly.api.app import create_app
from pynomaly.calendar.events import Event as Change
from pynomaly.calendar.events import EventKind, Occurrence
from pynomaly.detection.events import Anomaly, Feedback, NoSuchAnomaly
from pynomaly.detection.joint import Event
from pynomaly.detection.lessons import Alike
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels

NOW = 1_700_000_000.0

FOUND = Anomaly(
    id="00c0ffee",
    labels=Labels({"__name__": "cpu_usage", "job": "api"}),
    started_at=NOW - 600,
    peaked_at=NOW - 500,
    ended_at=0.0,
    score=0.72,
    confidence=0.99,
    value=99.0,
    expected=40.0,
    lower=30.0,
    upper=50.0,
    direction="above",
    cause="residual_10",
)


BESIDE = replace(
    FOUND,
    id="beside",
    labels=Labels({"__name__": "memory_usage", "job": "api", "instance": "a"}),
    started_at=FOUND.started_at + 120,
)


class Kept:
    """Anomalies in a list, and what was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, object] = {}
        self.anomaly = FOUND
        self.others: tuple[Anomaly, ...] = ()
        self.said_of_others = Alike(0, 0, 0.0)

    def found(
        self, since: float, until: float, *, metric: str, service: str, limit: int
    ) -> list[Anomaly]:
        self.asked = {"range": until - since, "metric": metric, "service": service, "limit": limit}
        return [self.anomaly]

    def events(
        self, since: float, until: float, *, metric: str, service: str, limit: int
    ) -> list[Event]:
        self.found(since, until, metric=metric, service=service, limit=limit)
        return [self.event]

    @property
    def event(self) -> Event:
        return Event(self.anomaly.id, (self.anomaly, *self.others))

    def group(self, group_id: str) -> Event | None:
        return self.event if group_id == self.anomaly.id else None

    def get(self, anomaly_id: str) -> Anomaly | None:
        return self.anomaly if anomaly_id == self.anomaly.id else None

    def begun(self, since: float, until: float) -> list[Anomaly]:
        return [each for each in (self.anomaly, BESIDE) if since <= each.started_at <= until]

    def previous(self, anomaly: Anomaly) -> Anomaly | None:
        return replace(anomaly, id="before", started_at=anomaly.started_at - 86_400)

    def happened(self, since: float, until: float) -> list[Occurrence]:
        rollout = Change(EventKind.DEPLOYMENT, "checkout 1.42", NOW - 1080, NOW - 1080)
        return list(rollout.occurrences(since, until))

    async def alike(self, anomaly: Anomaly) -> Alike:
        return self.said_of_others

    async def say(self, anomaly_id: str, feedback: Feedback) -> Anomaly:
        if any(each.id == anomaly_id for each in self.others):
            self.others = tuple(replace(each, feedback=feedback.value) for each in self.others)
            return self.others[0]
        if anomaly_id != self.anomaly.id:
            raise NoSuchAnomaly(anomaly_id)
        self.anomaly = replace(self.anomaly, feedback=feedback.value)
        return self.anomaly


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def client(kept: Kept) -> httpx.AsyncClient:
    crowd = [Labels({"__name__": "m", "job": "other", "n": str(n)}) for n in range(50)]
    app = create_app([anomalies_api.router(kept, kept, FakeClock(NOW), lambda: crowd)])
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_what_was_said_of_others_like_it_is_told_of_one_and_of_an_event(
    client: httpx.AsyncClient, kept: Kept
) -> None:
    path = f"/api/anomalies/{FOUND.id}"
    assert (await client.get(path)).json()["alike"] is None
    kept.said_of_others = Alike(4, 3, 1.0)
    said = "3 of 4 like it were marked false: one like it must be 10 times rarer to be told."
    assert (await client.get(path)).json()["alike"] == said
    kept.others = (BESIDE,)
    event = (await client.get(path)).json()
    assert (len(event["members"]), event["alike"]) == (2, said)


async def test_anomalies_are_listed_with_an_explanation(
    client: httpx.AsyncClient, kept: Kept
) -> None:
    answer = await client.get("/api/anomalies?metric_name=cpu_usage&time_range=24h")
    assert answer.status_code == 200
    (found,) = answer.json()["anomalies"]
    assert found["metric_name"] == "cpu_usage"
    assert (found["severity"], found["service"], found["ended_at"]) == ("high", "api", None)
    assert found["explanation"] == (
        "99 where 40 was expected (30 to 50): ten values off in the same direction, "
        "above what was expected."
    )
    assert kept.asked == {"range": 86_400, "metric": "cpu_usage", "service": "", "limit": 1000}


async def test_one_is_explained_by_what_moved_with_it_and_when_it_last_looked_like_this(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/anomalies/00c0ffee")
    assert answer.status_code == 200
    found = answer.json()
    (related,) = found["related"]
    assert (related["id"], related["seconds_after"]) == ("beside", 120)
    assert related["shared_labels"] == {"job": "api"}
    assert related["likeness"] == pytest.approx(0.65)
    assert found["previous"]["id"] == "before"


async def test_what_people_did_before_is_part_of_the_explanation(
    client: httpx.AsyncClient,
) -> None:
    found = (await client.get("/api/anomalies/00c0ffee")).json()
    said = "8m after deployment checkout 1.42"
    assert found["explanation"].endswith(f"above what was expected. It began {said}.")
    (change,) = found["preceding"]
    assert (change["text"], change["seconds_before"]) == (said, 480)


async def test_what_moved_together_is_one_with_its_members(
    client: httpx.AsyncClient, kept: Kept
) -> None:
    kept.others = (replace(BESIDE, score=0.9),)
    (found,) = (await client.get("/api/anomalies?time_range=1h")).json()["anomalies"]
    assert (found["id"], found["metric_name"], found["severity"]) == (
        "00c0ffee",
        "cpu_usage",
        "critical",
    )
    assert found["started_at"] == FOUND.started_at
    assert [each["id"] for each in found["members"]] == ["00c0ffee", "beside"]
    assert found["shared_labels"] == {"job": "api"}
    assert found["explanation"].startswith("2 series of 2 metrics with job=api: the rarest, ")
    (flat,) = (await client.get("/api/anomalies?flat=true")).json()["anomalies"]
    assert "members" not in flat


async def test_an_event_is_explained_by_what_its_series_have_in_common(
    client: httpx.AsyncClient, kept: Kept
) -> None:
    third = replace(BESIDE, id="third", labels=Labels({"__name__": "disk", "job": "api"}))
    kept.others = (BESIDE, third)
    found = (await client.get("/api/anomalies/00c0ffee")).json()
    assert len(found["members"]) == 3
    (standing,) = found["standing_out"]
    assert (standing["label"], standing["value"]) == ("job", "api")
    assert (standing["members"], standing["series"], standing["of_series"]) == (3, 3, 53)
    assert 0 < standing["chance"] < 0.001
    assert found["related"] == []  # what moved with it is in it
    alone = (await client.get("/api/anomalies/00c0ffee?flat=true")).json()
    assert "members" not in alone


async def test_what_a_person_says_of_an_event_is_said_of_all_its_members(
    client: httpx.AsyncClient, kept: Kept
) -> None:
    kept.others = (BESIDE,)
    body = {"feedback": "false", "members": True}
    said = (await client.post("/api/anomalies/00c0ffee/feedback", json=body)).json()
    assert said["feedback"] == "false"
    assert [each["feedback"] for each in said["members"]] == ["false", "false"]
    assert kept.others[0].feedback == "false"


async def test_a_person_says_whether_it_was_real(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/anomalies/00c0ffee/feedback", json={"feedback": "false"})
    assert (answer.status_code, answer.json()["feedback"]) == (200, "false")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/anomalies/nothing/feedback", {"feedback": "real"}, 404),
        ("/api/anomalies/nothing", None, 404),
        ("/api/anomalies/00c0ffee/feedback", {"feedback": "perhaps"}, 400),
        ("/api/anomalies?time_range=soon", None, 400),
        ("/api/anomalies?limit=0", None, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, path: str, body: dict[str, str] | None, status: int
) -> None:
    answer = await (client.post(path, json=body) if body else client.get(path))
    assert answer.status_code == status, answer.text
