"""Matchers, judged by the tables of Alertmanager's parsers and of its matchers."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pynomaly.alerting.alertmanager.matchers import (
    BadMatcher,
    matcher_text,
    new_matcher,
    parse_classic,
    parse_matcher,
    parse_matchers,
    parse_utf8,
    scan,
)
from pynomaly.model.matcher import Matcher, MatchOp
from tests.judge import repositories
from tests.judge.goexpr import Call, Composite, Name, table
from tests.judge.score import Score

_OPS = {
    "MatchEqual": MatchOp.EQUAL,
    "MatchNotEqual": MatchOp.NOT_EQUAL,
    "MatchRegexp": MatchOp.REGEX,
    "MatchNotRegexp": MatchOp.NOT_REGEX,
}
_KINDS = {
    "tokenOpenBrace": "{",
    "tokenCloseBrace": "}",
    "tokenComma": ",",
    "tokenEquals": "=",
    "tokenNotEquals": "!=",
    "tokenMatches": "=~",
    "tokenNotMatches": "!~",
    "tokenQuoted": "quoted",
    "tokenUnquoted": "unquoted",
}

_BUILT_UP = re.compile(r"func\(\) (?:labels\.Matchers|\[\]\*Matcher) \{(.*?)\}\(\)", re.DOTALL)
_MADE = re.compile(r"(?<=:= )(?:labels\.)?NewMatcher\(.*\)(?=\n)")

Parse = Callable[[str], "Matcher | tuple[Matcher, ...]"]


def judge_alertmanager_matchers(folder: Path) -> Score | None:
    """What each text means to each parser, or that it is refused; what matches; how it is shown."""
    repository = repositories.find(folder, "matcher/parse/parse_test.go")
    if repository is None:
        return None
    score = Score("prometheus/alertmanager, matchers")

    def read(path: str) -> str:
        return _BUILT_UP.sub(_as_literal, repository.read(path).decode())

    parsers = read("matcher/parse/parse_test.go")
    _judge_parser(score, parsers, "TestMatchers", parse_utf8)
    _judge_parser(score, parsers, "TestMatcher", lambda text: _only(parse_utf8(text)))
    both = read("matcher/compat/parse_test.go")
    _judge_parser(score, both, "TestFallbackMatcherParser", parse_matcher)
    _judge_parser(score, both, "TestFallbackMatchersParser", parse_matchers)
    compliance = read("matcher/compliance/compliance_test.go")
    _judge_parser(score, compliance, "TestCompliance", parse_utf8, "range []struct")
    classic = read("pkg/labels/parse_test.go")
    _judge_parser(score, classic, "TestMatchers", parse_classic, "range []struct")
    _judge_lexer(score, read("matcher/parse/lexer_test.go"))
    _judge_matching(score, read("pkg/labels/matcher_test.go"))
    return score


def _as_literal(found: re.Match[str]) -> str:
    """A slice that a function builds up, as a literal."""
    return f"[]*Matcher{{{', '.join(_MADE.findall(found[1]))}}}"


def _judge_parser(
    score: Score, source: str, function: str, parse: Parse, opening: str = "tests := []struct"
) -> None:
    for case in table(source, function, opening):
        fields = case.keyed
        if fields.get("skip"):
            continue  # what its classic parser takes and this one need not
        fault = fields.get("err") or fields.get("error")
        wanted = _value(fields.get("expected", fields.get("want")))
        score.note(
            f"{function}: {fields.get('input', '')!r}", _parsed(parse, fields, fault, wanted)
        )


def _parsed(parse: Parse, fields: dict[str, Any], fault: str | None, wanted: Any) -> str:
    try:
        got: Any = parse(fields.get("input", ""))
    except BadMatcher as error:
        return "" if fault else f"refused: {error}"
    if fault:
        return f"must be refused ({fault}), gives {got}"
    got = list(got) if isinstance(got, tuple) else got
    return "" if got == (wanted or []) else f"expected {wanted}, got {got}"


def _only(matchers: Sequence[Matcher]) -> Matcher:
    if len(matchers) != 1:
        raise BadMatcher(f"{len(matchers)} matchers")
    return matchers[0]


def _judge_lexer(score: Score, source: str) -> None:
    for case in table(source, "TestLexer_Scan", "tests := []struct"):
        text, fault = case.keyed["input"], case.keyed.get("err")
        expected = case.keyed.get("expected")
        wanted = [_token(token.keyed) for token in expected.items] if expected else []
        got = []
        refused = ""
        try:
            for token in scan(text):
                got.append((token.kind, token.text, token.column))
        except BadMatcher as error:
            refused = str(error)
        got = [token for token in got if token[1]]  # without the end
        same = got == wanted and bool(refused) == bool(fault)
        score.note(
            f"TestLexer_Scan: {text!r}",
            "" if same else f"expected {wanted} {fault or ''}, got {got} {refused}",
        )


def _token(fields: dict[str, Any]) -> tuple[str, str, int]:
    position = fields["position"].keyed if "position" in fields else {}
    return _KINDS[fields["kind"].name], fields["value"], position.get("columnStart", 0)


def _judge_matching(score: Score, source: str) -> None:
    for case in table(source, "TestMatcher", "tests := []struct"):
        matcher, value = _value(case.keyed["matcher"]), case.keyed["value"]
        wanted = case.keyed["match"] == Name("true")
        same = matcher.matches(value) == wanted
        score.note(f"TestMatcher: {matcher} {value!r}", "" if same else f"expected {wanted}")
    for case in table(source, "TestMatcherString", "tests := []struct"):
        fields = case.keyed
        got = matcher_text(new_matcher(fields["name"], _OPS[fields["op"].name], fields["value"]))
        same = got == fields["want"]
        score.note(f"TestMatcherString: {fields['want']}", "" if same else f"got {got}")


def _value(node: Any) -> Any:
    match node:
        case Composite():
            return [_value(item) for item in node.items]
        case Call(Name("mustNewMatcher"), [_, op, value]):
            return new_matcher("", _OPS[op.name.removeprefix("labels.")], value)
        case Call(Name("mustNewMatcher"), [_, op, name, value]) | Call(_, [op, name, value]):
            return new_matcher(name, _OPS[op.name.removeprefix("labels.")], value)
        case Call(Name("make")) | Name("nil"):
            return []
    return node
