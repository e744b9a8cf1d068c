"""What a Go template means: each case is the outcome that Go's own text/template has."""

import pytest

from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.template import Template, Templates
from pynomaly.gotemplate.types import StringMap, Strings, Uint

DATA = {
    "n": 7,
    "zero": 0,
    "f": 2.5,
    "s": "héllo",
    "none": None,
    "list": [1, "two", 3.5],
    "map": {"b": 2, "a": {"deep": "x"}},
    "labels": StringMap(job="api"),
    "names": Strings(["p", "q"]),
    "big": Uint(2**64 - 1),
}


def run(text: str, data: object = DATA, **options: str) -> str:
    return Template.parse("t", text, missing_key=options.get("missing_key", "default")).execute(
        data
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {{- /* gone */ -}} b", "ab"),
        ("a\n  {{- .n -}}  \n b", "a7b"),
        ("{{-3}} {{ - 3 }}" if False else "{{-3}}", "-3"),
        ("{{.n}} {{.f}} {{.s}} {{.none}} {{.absent}}", "7 2.5 héllo <no value> <no value>"),
        (
            "{{.map}} {{.list}} {{.names}} {{.labels}}",
            "map[a:map[deep:x] b:2] [1 two 3.5] [p q] map[job:api]",
        ),
        ("{{.map.a.deep}} {{$.map.a.deep}} {{(.map).a.deep}}", "x x x"),
        ("{{if .zero}}a{{else if .n}}b{{else}}c{{end}}", "b"),
        ("{{with .zero}}a{{else with .s}}{{.}}{{end}}", "héllo"),
        ("{{with $x := .n}}{{$x}}{{.}}{{end}}", "77"),
        ("{{range .list}}<{{.}}>{{else}}none{{end}}", "<1><two><3.5>"),
        ("{{range $i, $x := .list}}{{$i}}={{$x}} {{end}}", "0=1 1=two 2=3.5 "),
        ("{{range $k, $v := .map}}{{$k}} {{end}}", "a b "),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range .none}}a{{else}}none{{end}}", "none"),
        (
            "{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}",
            "02",
        ),
        ("{{$x := 1}}{{range 3}}{{$x = .}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        ('{{define "d"}}[{{.}}]{{end}}{{template "d" .n}}{{template "d"}}', "[7][<no value>]"),
        ('{{block "b" .f}}({{.}}){{end}}', "(2.5)"),
        ('{{.n | printf "%03d" | printf "%s!"}}', "007!"),
        ('{{index .list 1}} {{index .map "a" "deep"}} {{index "abc" 1}}', "two x 98"),
        ('{{slice "abcdef" 1 3}} {{slice .list 1}} {{len .s}} {{len .map}}', "bc [two 3.5] 6 2"),
        ('{{and 1 0 (index .list 99)}} {{or 0 "x"}} {{not .zero}}', "0 x true"),
        (
            "{{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 2.5 1.5}} {{ge 1 2}}",
            "true true true true true false",
        ),
        ("{{eq .big 1}} {{lt 1 .big}} {{gt -1 .big}}", "false true false"),
        (
            "{{\"a\\tb\\u00e9\\x41\"}} {{`raw\\n`}} {{'a'}} {{0x1F}} {{1_000}} {{017}} {{1e3}}",
            "a\tbéA raw\\n 97 31 1000 15 1000",
        ),
        (
            '{{html "<a href=\'x\'>"}} {{js "it\'s <b>"}} {{urlquery "a b&c"}}',
            "&lt;a href=&#39;x&#39;&gt; it\\'s \\u003Cb\\u003E a+b%26c",
        ),
        ("{{print 1 2 .s 3}} {{println 1}}", "1 2héllo3 1\n"),
    ],
)
def test_a_template_gives_what_go_gives(text: str, expected: str) -> None:
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{", "template: t:1: unclosed action"),
        ("{{\n\n", "template: t:3: unclosed action started at t:1"),
        ("{{ }}", "template: t:1: missing value for command"),
        ("{{nope}}", 'template: t:1: function "nope" not defined'),
        ("{{$x}}", 'template: t:1: undefined variable "$x"'),
        ("{{1 | 2}}", "template: t:1: non executable command in pipeline stage 2"),
        ("{{if 1}}", "template: t:1: unexpected EOF"),
        ("{{end}}", "template: t:1: unexpected {{end}}"),
        ("{{break}}", "template: t:1: {{break}} outside {{range}}"),
        ('{{"a', "template: t:1: unterminated quoted string"),
        ("{{ \u00a0}}", "template: t:1: unrecognized character in action: U+00A0"),
        ("{{(1}}", "template: t:1: unclosed left paren"),
        (
            '{{define "a"}}1{{end}}{{define "a"}}2{{end}}',
            'template: t:1: template: multiple definition of template "a"',
        ),
        (
            "\n{{.n.x}}",
            'template: t:2:4: executing "t" at <.n.x>: can\'t evaluate field x in type int',
        ),
        (
            "{{len 3}}",
            'template: t:1:2: executing "t" at <len 3>: error calling len: len of type int',
        ),
        (
            '{{eq 1 "a"}}',
            'template: t:1:2: executing "t" at <eq 1 "a">: '
            "error calling eq: incompatible types for comparison: int and string",
        ),
        (
            "é{{index .list 9}}",
            'template: t:1:4: executing "t" at <index .list 9>: '
            "error calling index: index out of range: 9",
        ),
        ("{{printf 1}}", 'template: t:1:9: executing "t" at <1>: expected string; found 1'),
        (
            "{{.n | printf}}",
            'template: t:1:7: executing "t" at <printf>: '
            "wrong type for value; expected string; got int",
        ),
        (
            '{{template "d"}}',
            'template: t:1:11: executing "t" at <{{template "d"}}>: template "d" not defined',
        ),
        (
            "{{range .f}}{{end}}",
            'template: t:1:8: executing "t" at <.f>: range can\'t iterate over 2.5',
        ),
        (
            '{{.s "x"}}',
            'template: t:1:2: executing "t" at <.s>: s is not a method but has arguments',
        ),
    ],
)
def test_a_fault_is_said_in_gos_words_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        run(text)
    assert str(raised.value) == message


def test_an_error_carries_name_line_and_column() -> None:
    with pytest.raises(TemplateError) as raised:
        run("ok\n  {{.n.x}}")
    error = raised.value
    assert (error.name, error.line, error.column) == ("t", 2, 6)


def test_an_absent_key_follows_the_option() -> None:
    assert run("{{.labels.absent}}|{{.map.absent}}") == "<no value>|<no value>"
    assert run("{{.labels.absent}}|{{.map.absent}}", missing_key="zero") == "|<no value>"
    with pytest.raises(TemplateError, match='map has no entry for key "absent"'):
        run("{{.labels.absent}}", missing_key="error")
    with pytest.raises(TemplateError, match='nil data; no entry for key "Foo"'):
        run("{{.Foo}}", None, missing_key="error")


def test_a_later_text_replaces_definitions_but_not_by_empty_ones() -> None:
    templates = Templates()
    templates.parse("a", '{{define "x"}}old{{end}}')
    templates.parse("b", '{{define "x"}}new{{end}}{{define "y"}} {{end}}')
    templates.parse("c", '{{define "x"}} {{end}}')
    assert templates.execute("x", None) == "new"
    assert templates.render('{{template "x"}}', None) == "new"
    assert "" not in templates.trees


def test_only_what_a_type_lists_can_be_reached() -> None:
    class Secret:
        password = "x"

    with pytest.raises(TemplateError, match="can't handle a value of Python's Secret"):
        run("{{.secret.password}}", {"secret": Secret()})
    with pytest.raises(TemplateError, match="can't evaluate field __class__ in type string"):
        run("{{.s.__class__}}")
