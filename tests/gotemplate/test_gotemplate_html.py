import pytest

from pynomaly.gotemplate.alertmanager import FUNCTIONS
from pynomaly.gotemplate.template import Template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>{{.}}</p>", "<p>&lt;i&gt; &#39;q&#39; &amp; x:y</p>"),
        ('<p title="{{.}}">', '<p title="&lt;i&gt; &#39;q&#39; &amp; x:y">'),
        ("<p>{{. | safeHtml}}</p>", "<p><i> 'q' & x:y</p>"),
        ('<p title="{{"<b>bold</b> &amp; x" | safeHtml}}">', '<p title="bold &amp; x">'),
        ('<a href="{{"javascript:alert(1)"}}">', '<a href="#ZgotmplZ">'),
        ('<a href="{{"https://x/?a=b c"}}">', '<a href="https://x/?a=b%20c">'),
        ('<a href="/s?q={{"a=b&c d"}}">', '<a href="/s?q=a%3db%26c%20d">'),
        ('<a href="/s?{{"q=test%20x" | safeUrl}}">', '<a href="/s?q=test%20x">'),
        (
            "<script>x = {{.}};</script>",
            "<script>x = \"\\u003ci\\u003e 'q' \\u0026 x:y\";</script>",
        ),
        (
            '<script>x = "{{.}}";</script>',
            "<script>x = \"\\u003Ci\\u003E \\'q\\' \\u0026 x:y\";</script>",
        ),
        ('<p style="color: {{"red"}}; {{"x:expression(1)"}}">', '<p style="color: red; ZgotmplZ">'),
        ("a<!-- {{.}} -->b", "ab"),
        ('<p {{"onclick"}}>', "<p ZgotmplZ>"),
        (
            "<textarea>{{.}}</textarea>{{.}}",
            "<textarea>&lt;i&gt; &#39;q&#39; &amp; x:y</textarea>&lt;i&gt; &#39;q&#39; &amp; x:y",
        ),
        ("{{if true}}<b>{{else}}<i>{{end}}{{.}}", "<b>&lt;i&gt; &#39;q&#39; &amp; x:y"),
    ],
)
def test_a_value_is_escaped_for_where_it_stands(text: str, expected: str) -> None:
    template = Template.parse("t", text, FUNCTIONS, html=True)
    assert template.execute("<i> 'q' & x:y") == expected


def test_nothing_is_shown_for_no_value() -> None:
    assert Template.parse("t", "[{{.x}}]", html=True).execute({}) == "[]"
