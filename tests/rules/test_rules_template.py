from pynomaly.model.labels import Labels
from pynomaly.promql.contract import QueryError
from pynomaly.rules.template import Outside, Text, expand, expand_all, template_fault
from tests.rules.rules_scripted import Scripted

UP = Labels({"job": "api", "instance": "a.example.com:80"})


async def told(text: str, value: float = 0.25, querier: Scripted | None = None) -> str:
    outside = Outside({"region": "eu"}, "http://here/base")
    texts = [Text(text, UP, value)]
    [result] = await expand_all("Down", texts, querier or Scripted(), 1000.0, outside)
    return result


async def test_an_annotation_sees_the_alert_and_what_is_around_it() -> None:
    assert await told(
        "{{ $labels.job }} {{ .Labels.instance | stripPort }} {{ $labels.none }}|"
    ) == ("api a.example.com |")
    assert await told("{{ $value | humanizePercentage }} {{ .Value }} {{ humanize 1234567 }}") == (
        "25% 0.25 1.235M"
    )
    assert await told("{{ $externalLabels.region }} {{ $externalURL }} {{ pathPrefix }}") == (
        "eu http://here/base /base"
    )
    assert await told('{{ now }} {{ (now | toTime).Format "15:04" }}') == "1000 00:16"


async def test_a_failing_template_says_its_error_in_place_of_the_text() -> None:
    assert await told("{{ $labels.job.x }}") == (
        "<error expanding template: error executing template __alert_Down: template: "
        '__alert_Down:1:122: executing "__alert_Down" at <$labels.job.x>: '
        "can't evaluate field x in type string>"
    )
    assert await told("{{ nope }}") == (
        "<error expanding template: error parsing template __alert_Down: template: "
        '__alert_Down:1: function "nope" not defined>'
    )


async def test_a_template_asks_queries_at_the_time_of_the_evaluation() -> None:
    querier = Scripted()
    querier.answers = {"up": {"job=b": 2.0, "job=a": 1.0}, "count(a)": {"": 5.0}}
    text = '{{ range query "up" | sortByLabel "job" }}{{ .Labels.job }}={{ .Value }} {{ end }}'
    assert await told(text, querier=querier) == "a=1 b=2 "
    assert querier.asked == [("up", 1_000_000)]
    nested = (
        '{{ $l := query "up" | first | label "job" }}'
        '{{ printf "count(%s)" "a" | query | first | value }} {{ $l }}'
    )
    assert await told(nested, querier=querier) == "5 b"


async def test_one_query_of_many_alerts_is_asked_once() -> None:
    querier = Scripted()
    querier.answers = {"up": {"job=a": 1.0}}
    texts = [
        Text('{{ query "up" | first | value }}', Labels({"i": str(i)}), 1.0) for i in range(50)
    ]
    assert await expand_all("X", texts, querier, 5.0) == ["1"] * 50
    assert len(querier.asked) == 1


async def test_a_query_that_fails_or_gives_nothing_is_the_templates_error() -> None:
    querier = Scripted()
    querier.answers = {"bad": QueryError("too many samples")}
    assert "error calling query: too many samples>" in await told(
        '{{ query "bad" }}', querier=querier
    )
    empty = await told('{{ query "none" | first | value }}', querier=querier)
    assert empty.endswith("error calling first: first() called on vector with no elements>")


async def test_queries_without_end_are_cut_off() -> None:
    text = '{{ range 1000 }}{{ query (printf "q%d" .) }}{{ end }}'
    assert "ask more than 100 queries" in await told(text)


def test_faults_are_found_before_any_evaluation() -> None:
    assert template_fault("X", "{{ $labels.job }}") == ""
    assert "unclosed action" in template_fault("X", "{{ $labels.job ")


def test_without_a_querier_a_query_is_refused_and_the_rest_expands() -> None:
    assert expand("X", "{{ $value }} of {{ $labels.job }}", UP, 3.0) == "3 of api"
    assert "nobody to answer the query up" in expand("X", '{{ query "up" }}', UP, 3.0)
