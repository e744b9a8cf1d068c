"""Series, labels, metadata, targets, build information, probes."""

import pytest
from prometheus_app import NOW, Client, FakeTarget, FakeTargets, Stage, serving

from pynomaly.api.prometheus.parameters import unescape_label_name
from pynomaly.model.labels import Labels


def test_series_are_found_by_any_of_the_selectors(client: Client) -> None:
    asked = [("match[]", 'requests_total{code="200"}'), ("match[]", '{room="hall"}')]
    expected = [
        {"__name__": "requests_total", "code": "200", "job": "api"},
        {"__name__": "temperature_celsius", "room": "hall"},
    ]
    for method, where in (("GET", "params"), ("POST", "data")):
        fields = asked if method == "GET" else {"match[]": [text for _, text in asked]}
        answer = client.request(method, "/api/v1/series", **{where: fields})
        assert answer.json() == {"status": "success", "data": expected}


def test_series_outside_of_the_range_are_left_out(client: Client) -> None:
    asked = {"match[]": "requests_total", "end": NOW - 700}
    assert client.get("/api/v1/series", asked).json()["data"] == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "no match[] parameter provided"),
        ({"match[]": "up{"}, 'invalid parameter "match[]": 1:4: parse error: '),
        ({"match[]": "sum(up)"}, 'invalid parameter "match[]": parse error: sum(up) is not a'),
        ({"match[]": '{a=""}'}, 'invalid parameter "match[]": '),
        ({"match[]": "up", "start": "x"}, 'invalid parameter "start": invalid time value for'),
        ({"match[]": "up", "limit": "-1"}, 'invalid parameter "limit": limit must be non-neg'),
    ],
)
def test_a_wrong_selection_is_refused(client: Client, asked: dict[str, str], message: str) -> None:
    answer = client.get("/api/v1/series", asked)
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "bad_data"
    assert answer.json()["error"].startswith(message)


def test_label_names_and_values(client: Client) -> None:
    def data(path: str, **asked: object) -> object:
        return client.get(f"/api/v1/{path}", asked).json()["data"]

    assert data("labels") == ["__name__", "code", "job", "room"]
    assert data("labels", **{"match[]": "temperature_celsius"}) == ["__name__", "room"]
    assert data("label/code/values") == ["200", "500"]
    assert data("label/code/values", **{"match[]": '{code!="500",job="api"}'}) == ["200"]
    assert data("label/nosuch/values") == []
    assert client.request("POST", "/api/v1/labels", data={"match[]": "up"}).json()["data"] == []


@pytest.mark.parametrize("path", ["labels", "label/code/values", "series"])
def test_a_limit_keeps_the_first_and_warns(client: Client, path: str) -> None:
    asked = {"limit": 1, "match[]": "requests_total"}
    answer = client.get(f"/api/v1/{path}", asked).json()
    assert len(answer["data"]) == 1
    assert answer["warnings"] == ["results truncated due to limit"]


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("U__http_2e_method", "http.method"),
        ("U__a__b", "a_b"),
        ("U___1f689___", "🚉_"),
        ("code", "code"),
        ("a__b", "a__b"),
        ("U__half_2e", "U__half_2e"),
        ("U___d800_", "U___d800_"),
        ("U___zz_", "U___zz_"),
        ("U___1f689__", "U___1f689__"),
    ],
)
def test_label_names_are_unescaped_as_prometheus_does(escaped: str, name: str) -> None:
    assert unescape_label_name(escaped) == name


def test_an_escaped_label_name_finds_its_values(client: Client) -> None:
    assert client.get("/api/v1/label/U__cod_65_/values").json()["data"] == ["200", "500"]


def test_metadata_by_metric_and_limited(client: Client) -> None:
    def data(**asked: object) -> dict[str, list[dict[str, str]]]:
        return client.get("/api/v1/metadata", asked).json()["data"]

    assert data(metric="temperature_celsius") == {
        "temperature_celsius": [{"type": "gauge", "help": "How warm it is.", "unit": "celsius"}]
    }
    assert {name: len(said) for name, said in data().items()} == {
        "requests": 2,
        "temperature_celsius": 1,
    }
    assert len(data(limit_per_metric=1)["requests"]) == 1
    assert len(data(limit=1)) == 1
    assert data(limit=0) == {}
    assert data(metric="nosuch") == {}
    wrong = client.get("/api/v1/metadata", {"limit": "many"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "limit must be a number")


@pytest.fixture
def targets(stage: Stage) -> FakeTargets:
    stage.targets.active = [
        FakeTarget("web", last_scrape=0, health="unknown"),
        FakeTarget(health="down", last_error="connection refused"),
    ]
    stage.targets.dropped = [FakeTarget("web", Labels({"__address__": "b:1"}))]
    return stage.targets


def test_targets_are_shown_as_prometheus_shows_them(client: Client, targets: FakeTargets) -> None:
    data = client.get("/api/v1/targets").json()["data"]
    first, second = data["activeTargets"]
    assert first == {
        "discoveredLabels": {"__address__": "a:9100", "job": "api"},
        "labels": {"instance": "a:9100", "job": "api"},
        "scrapePool": "api",
        "scrapeUrl": "http://a:9100/metrics",
        "globalUrl": "http://a:9100/metrics",
        "lastError": "connection refused",
        "lastScrape": "2023-11-14T22:13:18.500000Z",
        "lastScrapeDuration": 0.025,
        "health": "down",
        "scrapeInterval": "15s",
        "scrapeTimeout": "10s",
    }
    assert (second["scrapePool"], second["lastScrape"]) == ("web", "0001-01-01T00:00:00Z")
    assert data["droppedTargets"] == [
        {"discoveredLabels": {"__address__": "b:1"}, "scrapePool": "web"}
    ]
    assert data["droppedTargetCounts"] == {"web": 1}


@pytest.mark.parametrize(
    ("asked", "active", "dropped"),
    [
        ({"state": "active"}, 2, 0),
        ({"state": "Dropped"}, 0, 1),
        ({"state": "any"}, 2, 1),
        ({"state": "nonsense"}, 0, 0),
        ({"scrapePool": "api"}, 1, 0),
    ],
)
def test_targets_are_selected_by_state_and_pool(
    client: Client, targets: FakeTargets, asked: dict[str, str], active: int, dropped: int
) -> None:
    data = client.get("/api/v1/targets", asked).json()["data"]
    assert (len(data["activeTargets"]), len(data["droppedTargets"])) == (active, dropped)


def test_build_information_names_the_api_and_who_speaks_it(client: Client) -> None:
    data = client.get("/api/v1/status/buildinfo").json()["data"]
    assert (data["version"], data["revision"]) == ("3.0.0", "pynomaly-0.1.0")
    keys = {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert data.keys() == keys  # Prometheus's description knows no others


def test_until_it_is_ready_only_health_is_answered(stage: Stage) -> None:
    stage.ready = False
    with serving(stage) as client:
        assert client.get("/-/healthy").status_code == 200
        assert client.request("HEAD", "/-/healthy").status_code == 200
        assert client.get("/-/ready").status_code == 503
        answer = client.get("/api/v1/query", {"query": "1"})
        assert (answer.status_code, answer.json()["errorType"]) == (503, "unavailable")
        stage.ready = True
        assert client.get("/-/ready").status_code == 200
        assert client.request("HEAD", "/-/ready").status_code == 200
        assert client.get("/api/v1/query", {"query": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/v1/nosuch", 404, "not_found"),
        ("PUT", "/api/v1/query", 405, "bad_data"),
        ("POST", "/api/v1/targets", 405, "bad_data"),
    ],
)
def test_routing_errors_have_the_envelope(
    client: Client, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.request(method, path)
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorType"]) == (status, "error", kind)
    assert path in body["error"]


def test_a_form_without_end_is_refused(client: Client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.request(
        "POST", "/api/v1/query", content=b"query=" + b"1" * (10 << 20), headers=form
    )
    assert (answer.status_code, answer.json()["errorType"]) == (413, "bad_data")
