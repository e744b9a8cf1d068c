import pytest

from pynomaly.gotemplate.alertmanager import KV, Alert, Alerts, Data, MessageTemplates
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.structures import rendered
from pynomaly.gotemplate.times import Duration, Time

SECOND = 10**9
NOON = Time(1_718_452_800 * SECOND + 120_000_000)  # 2024-06-15 12:00:00.12 UTC
DATA = Data(
    receiver="team",
    status="firing",
    alerts=Alerts(
        [
            Alert("firing", KV(alertname="Down", job="api"), KV(summary="it is down"), NOON),
            Alert("resolved", KV(alertname="Slow", job="db"), KV(), NOON),
        ]
    ),
    group_labels=KV(zone="b", alertname="Down", job="api"),
    common_labels=KV(job="api"),
    external_url="http://here",
)


def render(text: str, now: Time = NOON) -> str:
    return MessageTemplates().text(text, DATA, now)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{.Receiver}} {{.Status | toUpper}} {{.ExternalURL}}", "team FIRING http://here"),
        ("{{len .Alerts.Firing}} {{range .Alerts.Resolved}}{{.Labels.job}}{{end}}", "1 db"),
        ("{{.GroupLabels}}", "alertname=Down, job=api, zone=b"),
        (
            "{{range .GroupLabels.SortedPairs}}{{.Name}}:{{.Value}} {{end}}",
            "alertname:Down job:api zone:b ",
        ),
        ('{{(.GroupLabels.Remove (stringSlice "job")).Names}}', "[alertname zone]"),
        (
            '{{.GroupLabels.Values | join "/"}} {{.GroupLabels.Values.Join "-"}}',
            "Down/api/b Down-api-b",
        ),
        ("{{range .Alerts}}{{.Annotations.summary}};{{end}}", "it is down;;"),
        (
            '{{(index .Alerts 0).StartsAt.Format "Mon 2 Jan 2006 15:04:05.000 MST"}}',
            "Sat 15 Jun 2024 12:00:00.120 UTC",
        ),
        (
            '{{(index .Alerts 0).StartsAt | tz "Europe/Paris" | date "15:04 -07:00 MST"}}',
            "14:00 +02:00 CEST",
        ),
        (
            '{{toDate "2006-01-02 15:04" "2024-03-15 08:09" | date "Jan _2 3:04PM"}}',
            "Mar 15 8:09AM",
        ),
        ('{{toDate "2006" "none" | date "2006"}}', "0001"),
        ("{{(index .Alerts 0).EndsAt.IsZero}}", "true"),
        (
            "{{.CommonLabels | toJson}} {{toJson (list 1 1.5 nil true)}}",
            '{"job":"api"} [1,1.5,null,true]',
        ),
        ('{{dict "a" 1 "b" (list "x")}}', "map[a:1 b:[x]]"),
        ('{{"dGVzdA==" | base64decode}} {{"flush>>" | base64encode}}', "test Zmx1c2g-Pg=="),
        ('{{"a%20b+c" | urlUnescape}} {{" x " | trimSpace}}{{"aB cD" | title}}', "a b c xAb Cd"),
    ],
)
def test_a_message_shows_its_data(text: str, expected: str) -> None:
    assert render(text) == expected


def test_time_is_that_of_the_rendering() -> None:
    later = Time(NOON.nanoseconds + 3_725 * SECOND)
    text = '{{(index .Alerts 0).StartsAt | since | humanizeDuration}} {{now | date "15:04:05"}}'
    assert render(text, later) == "1h 2m 5s 13:02:05"


def test_a_template_file_defines_what_messages_call() -> None:
    templates = MessageTemplates()
    templates.add("team.tmpl", '{{define "title"}}{{.Status}} <{{len .Alerts}}>{{end}}')
    assert templates.text('{{template "title" .}}', DATA, NOON) == "firing <2>"
    assert (
        templates.html('<b>{{template "title" .}}{{.Receiver}}</b>', DATA, NOON)
        == "<b>firing <2>team</b>"
    )


def test_labels_of_the_route_are_templates_rendered_once() -> None:
    data = Data(
        group_labels=KV(x="v"), route_labels=KV(a='{{routeLabels "b"}}!', b="{{.GroupLabels.x}}")
    )
    templates = MessageTemplates()
    assert templates.text('{{routeLabels "a"}} {{routeLabels "none"}}', data, NOON) == "v! "
    done = Data(route_labels=KV(a="{{ not again }}"), route_labels_rendered=True)
    assert templates.text('{{routeLabels "a"}}', done, NOON) == "{{ not again }}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{{tz "Nowhere/City" now}}', "error calling tz: unknown time zone Nowhere/City"),
        (
            '{{mustToDate "2006-01-02" "soon"}}',
            'parsing time "soon" as "2006-01-02": cannot parse "soon" as "2006"',
        ),
        ('{{dict "a"}}', "dict requires an even number of arguments"),
        ('{{urlUnescape "%zz"}}', 'invalid URL escape "%zz"'),
        ('{{base64decode "!"}}', "illegal base64 data"),
    ],
)
def test_a_function_that_fails_says_why(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (2_000_000, "2ms"),
        (90 * SECOND, "1m30s"),
        (-3_725_500_000_000, "-1h2m5.5s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(nanoseconds: int, text: str) -> None:
    assert str(Duration(nanoseconds)) == text


def test_structures_are_rendered_through_and_through() -> None:
    payload = {
        "k{{x}}": ["a: 1", "plain", 5],
        "when": "2024-01-01",
        "json": '{"v":"1:"}',
        3: "dropped",
    }
    got = rendered(payload, lambda text: text.replace("{{x}}", "!"))
    assert got == {"k!": [{"a": 1}, "plain", 5], "when": "2024-01-01", "json": {"v": "1:"}}
