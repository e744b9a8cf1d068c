"""No template takes the process down, and nothing but TemplateError comes out of one."""

import contextlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pynomaly.gotemplate.alertmanager import KV, Alert, Alerts, Data, MessageTemplates
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.template import Template
from pynomaly.gotemplate.times import Time
from pynomaly.gotemplate.types import StringMap
from pynomaly.rules.template_functions import FUNCTIONS, Expansion


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{range 1000000000}}{{end}}", "steps"),
        ('{{define "r"}}{{template "r"}}{{end}}{{template "r"}}', "maximum template depth"),
        ("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "maximum nesting"),
        ("{{if 1}}" * 5000, "maximum nesting"),
        ("{{if 1}}a" + "{{else if 1}}b" * 5000 + "{{end}}", "maximum nesting"),
        ('{{range 100}}{{printf "%999999d" 1}}{{end}}', "longer than"),
        ('{{printf "%999999d%999999d" 1 1}}', "longer than"),
        ('{{$x := "aaaaaaaa"}}{{range 40}}{{$x = print $x $x}}{{end}}', "longer than"),
        (
            '{{$x := "aaaa"}}{{range 40}}{{$x = reReplaceAll "a" "aaaaaaaa" $x}}{{end}}',
            "longer than",
        ),
        ("{{$l := list 1}}{{range 60}}{{$l = list $l $l}}{{end}}{{$l}}", "nested deeper"),
        ("{{$l := list 1}}{{range 60}}{{$l = list $l $l}}{{end}}{{toJson $l}}", "nested deeper"),
        ("{{$l := list 1}}{{range 20}}{{$l = list $l $l}}{{end}}{{$l}}", "longer than"),
        ("{{$l := list}}{{range 100000}}{{$l = append $l 1}}{{end}}", "longer than|steps"),
        ('{{reReplaceAll "(" "" "x"}}', "error parsing regexp"),
        ('{{routeLabels "a"}}', "cycle detected: a -> b -> a"),
    ],
)
def test_a_hostile_template_ends_with_an_error(text: str, message: str) -> None:
    data = Data(route_labels=KV(a='{{routeLabels "b"}}', b='{{routeLabels "a"}}'))
    with pytest.raises(TemplateError, match=message):
        MessageTemplates().text(text, data, Time(0))


_TOKENS = r"""
{{ }} {{- -}} ( ) | . $ $x := = , " ' ` if else end range with define template block break
continue nil true .a .a.b .labels.x $.n 1 -1 1.5 1e400 0x 08 "%d" "%*[3]s" "\xff" `(` é \
printf index slice len eq lt and or not html js urlquery call print
"""
WORDS = st.sampled_from([*_TOKENS.split(), *sorted(FUNCTIONS)])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=600, deadline=None)
@given(st.lists(WORDS | st.text(max_size=3), max_size=25).map(" ".join), VALUES)
@example('{{slice "é" 1}}{{printf "%s" "\\xff"}}', {})
@example('{{reReplaceAll "\\xff" "x" (slice "é" 1)}}', {})
@example("{{.a}}", {"a": "\ud800"})
@example('{{toTime 1e9 | print}}{{(toTime -9e9).Format "2006 Jan _2 Z07:00"}}', {})
@example("{{(toTime 9e9).Add (toDuration 1e300)}}", {})
def test_any_text_gives_output_or_a_template_error(text: str, value: Any) -> None:
    data = {"a": value, "n": 3, "labels": StringMap(x="y")}
    for html in (False, True):
        try:
            found = Template.parse("t", text, FUNCTIONS, html=html).execute(
                data, Expansion(0.0, "", {})
            )
        except TemplateError:
            continue
        except Exception as error:
            if type(error).__name__ != "Unanswered":  # a query, which the caller answers
                raise
        else:
            found.encode()


CALLS = st.sampled_from(sorted(FUNCTIONS))


@settings(max_examples=600, deadline=None)
@given(
    CALLS,
    st.lists(
        st.sampled_from([".a", ".n", '"x"', "1", "-2.5", ".labels", "nil", '"%d"']), max_size=3
    ),
    VALUES,
)
def test_any_argument_gives_output_or_a_template_error(
    name: str, arguments: list[str], value: Any
) -> None:
    text = "{{" + " ".join([name, *arguments]) + "}}"
    try:
        Template.parse("t", text, FUNCTIONS).execute(
            {"a": value, "n": 3, "labels": StringMap()}, Expansion(0.0)
        )
    except TemplateError:
        pass
    except Exception as error:
        if type(error).__name__ != "Unanswered":
            raise


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(
        [
            "date",
            "toDate",
            "mustToDate",
            "tz",
            "toJson",
            "base64decode",
            "urlUnescape",
            "title",
            "dict",
            "join",
        ]
    ),
    st.text(max_size=12),
    st.text(max_size=12),
)
def test_functions_of_messages_take_any_text(name: str, one: str, other: str) -> None:
    data = Data(alerts=Alerts([Alert("firing", KV(a=one))]), group_labels=KV(x=one, y=other))
    text = (
        "{{with .GroupLabels}}{{"
        + name
        + " .x .y}}{{end}}{{(index .Alerts 0).StartsAt.Format .GroupLabels.x}}"
    )
    with contextlib.suppress(TemplateError):
        MessageTemplates().text(text, data, Time(0)).encode()
