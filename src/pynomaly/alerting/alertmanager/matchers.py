"""Matchers as ``alertmanager.yml`` and its clients write them: the classic and the UTF-8 form.

Alertmanager reads each input by both parsers (its matcher/compat): the UTF-8 one counts, but the
classic one does where the former refuses the input, or where the two disagree.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pynomaly.gotemplate.literals import quoted as go_quoted
from pynomaly.gotemplate.literals import unquote
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import quoted
from pynomaly.model.matcher import Matcher, MatchOp

_SPACE = r"[\t\n\f\r ]"  # what Go's \s matches
_CLASSIC = re.compile(
    rf"{_SPACE}*([a-zA-Z_:][a-zA-Z0-9_:]*){_SPACE}*(=~|=|!=|!~){_SPACE}*(.*?){_SPACE}*", re.DOTALL
)
_RESERVED = "{}!=~,\\\"'`"
_ORDER = {op: place for place, op in enumerate(MatchOp)}


class BadMatcher(BadInput, ValueError):
    """A text that is no matcher, or not as many as expected."""


def parse_matcher(text: str) -> Matcher:
    """One matcher, such as ``severity="critical"`` or ``"k8s.pod" =~ "web-.*"``.

    Raises:
        BadMatcher: neither form.
    """
    if text.startswith("{") or text.endswith("}"):
        raise BadMatcher(f"{text!r}: one matcher has no braces around it")
    found = parse_matchers(text)
    if len(found) != 1:
        raise BadMatcher(f"{text!r}: one matcher is expected, found {len(found)}")
    return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Any number of matchers with commas between, and braces around if you like.

    Raises:
        BadMatcher: neither form; or a value that is not an RE2 expression where one is due.
    """
    try:
        classic = parse_classic(text)
    except BadMatcher as fault:
        try:
            return parse_utf8(text)
        except BadMatcher:
            raise fault from None
    try:
        new = parse_utf8(text)
    except BadMatcher:
        return classic
    return new if new == classic else classic


def outdated(text: str) -> str:
    """Why the classic form counts for this text, in words for its author; empty if it does not."""
    try:
        classic = parse_classic(text)
    except BadMatcher:
        return ""
    better = ",".join(matcher_text(m) for m in classic)
    try:
        new = parse_utf8(text)
    except BadMatcher:
        return f"{text!r} is in the classic form only; write {better} instead"
    if new == classic:
        return ""
    return f"{text!r} means two things in the classic and the UTF-8 form; write {better} instead"


def new_matcher(name: str, op: MatchOp, value: str) -> Matcher:
    """A matcher as Alertmanager makes it: ``.`` in a regular expression matches no newline.

    Raises:
        BadMatcher: the value is not RE2.
    """
    try:
        return Matcher(name, op, value, dot_all=False)
    except BadInput as error:
        raise BadMatcher(error.message) from None


def sorted_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """In Alertmanager's order: by name, value, and operator."""
    return tuple(sorted(matchers, key=lambda m: (m.name, m.value, _ORDER[m.op])))


def all_matchers(
    match: Mapping[str, str],
    match_re: Mapping[str, str],
    matchers: Iterable[Sequence[Matcher]],
) -> tuple[Matcher, ...]:
    """The older words and the newer together, in Alertmanager's order.

    The value of one of ``match_re`` is shown with its anchors, as Alertmanager does: that is part
    of the keys of groups, and so of what other systems tell incidents apart by.
    """
    return sorted_matchers(
        [
            *(new_matcher(name, MatchOp.EQUAL, value) for name, value in match.items()),
            *(
                new_matcher(name, MatchOp.REGEX, f"^(?:{value})$")
                for name, value in match_re.items()
            ),
            *(matcher for line in matchers for matcher in line),
        ]
    )


def matcher_text(matcher: Matcher) -> str:
    """A matcher as Alertmanager writes it: the name in quotes only if it needs them."""
    if any(_is_reserved(char) for char in matcher.name):
        return f"{go_quoted(matcher.name)}{matcher.op}{go_quoted(matcher.value)}"
    return f"{matcher.name}{matcher.op}{quoted(matcher.value)}"


def matchers_text(matchers: Sequence[Matcher]) -> str:
    """``{a="b",c=~"d"}``, as it is part of the keys of routes and groups."""
    return "{" + ",".join(matcher_text(m) for m in matchers) + "}"


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """By the parser of the time before UTF-8 names: tolerant of quotes that are not there.

    Raises:
        BadMatcher: not of this form.
    """
    parts = _split(text.removeprefix("{").removesuffix("}"))
    if not (last := parts.pop().strip()):
        return tuple(_classic(part) for part in parts)
    return tuple(_classic(part) for part in [*parts, last])


def _split(text: str) -> list[str]:
    """At commas outside of quotes."""
    parts, start = [], 0
    quotes = escaped = False
    for at, char in enumerate(text):
        if char == ",":  # as Alertmanager: a backslash before it still escapes what follows it
            if not quotes:
                parts.append(text[start:at])
                start = at + 1
        elif char == '"':
            quotes ^= not escaped
            escaped = False
        else:
            escaped = char == "\\" and not escaped
    return [*parts, text[start:]]


def _classic(text: str) -> Matcher:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise BadMatcher(f'{text!r} is not a matcher such as severity="critical"')
    name, op, value = found.groups()
    return new_matcher(name, MatchOp(op), _classic_value(value))


_CLASSIC_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def _classic_value(text: str) -> str:
    """Without quotes and escapes; a backslash before anything else stands for itself."""
    body = text
    if text.startswith('"'):
        body = text[1:]
        if not _ends_quoted(body):
            raise BadMatcher(f"{text!r}: a double quote has no partner, or needs a backslash")
        body = body[:-1]
    if re.search(r'(?<!\\)(?:\\\\)*"', body):
        raise BadMatcher(f"{text!r}: a double quote within a value needs a backslash")
    return re.sub(r"\\(.)", lambda m: _CLASSIC_ESCAPES.get(m[1], m[0]), body, flags=re.DOTALL)


def _ends_quoted(text: str) -> bool:
    escapes = len(text) - 1 - len(text[:-1].rstrip("\\"))
    return text.endswith('"') and escapes % 2 == 0


def parse_utf8(text: str) -> tuple[Matcher, ...]:
    """By the parser that takes any name in double quotes, and is strict with the rest.

    Raises:
        BadMatcher: not of this form; the message says where.
    """
    tokens = _Tokens(text)
    braces = tokens.ahead.kind == "{"
    if braces:
        tokens.next()
    found: list[Matcher] = []
    while not tokens.at_end and tokens.ahead.kind != "}":
        if found:
            tokens.expect(",", "a comma or the end")
            if tokens.at_end or tokens.ahead.kind == "}":
                break
        found.append(_utf8_matcher(tokens))
    if braces:
        tokens.expect("}", "a closing brace")
    if not tokens.at_end:
        raise tokens.fault("the end" if braces else "a comma or the end")
    return tuple(found)


def _utf8_matcher(tokens: "_Tokens") -> Matcher:
    name = tokens.value("a label's name")
    op = tokens.operator()
    return new_matcher(name, op, tokens.value("a value"))


class Token(NamedTuple):
    """A piece of the UTF-8 form: ``{``, ``}``, ``,``, an operator, ``quoted`` or ``unquoted``."""

    kind: str
    text: str
    column: int


_END = "the end"
_TOKEN = re.compile(
    r"""(?P<sign>[{},]) | (?P<op>=~|=|!=|!~) | (?P<quoted>"(?:[^"\\]|\\.)*")""",
    re.VERBOSE | re.DOTALL,
)


def scan(text: str) -> Iterator[Token]:
    """The tokens of a text, the last of the kind ``the end``.

    Raises:
        BadMatcher: when it comes to something that is none.
    """
    at = 0
    while True:
        while at < len(text) and _is_space(text[at]):
            at += 1
        if at == len(text):
            yield Token(_END, "", at)
            return
        token = _token(text, at)
        yield token
        at += len(token.text)


def _token(text: str, at: int) -> Token:
    if found := _TOKEN.match(text, at):
        kind = "quoted" if found["quoted"] else found[0]
        return Token(kind, found[0], at)
    end = at
    while end < len(text) and not _is_reserved(text[end]):
        end += 1
    if end == at:
        raise _fault(text, Token("", text[at], at), "a name, an operator or a value")
    return Token("unquoted", text[at:end], at)


class _Tokens:
    """The tokens of a text, one looked at ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = scan(text)
        self.ahead = next(self._tokens)

    @property
    def at_end(self) -> bool:
        return self.ahead.kind == _END

    def next(self) -> Token:
        token = self.ahead
        self.ahead = next(self._tokens, token)
        return token

    def expect(self, kind: str, what: str) -> None:
        if self.ahead.kind != kind:
            raise self.fault(what)
        self.next()

    def operator(self) -> MatchOp:
        if self.ahead.kind not in list(MatchOp):
            raise self.fault("one of = != =~ !~")
        return MatchOp(self.next().kind)

    def value(self, what: str) -> str:
        if self.ahead.kind == "unquoted":
            return self.next().text
        if self.ahead.kind != "quoted":
            raise self.fault(what)
        value = None if "\n" in self.ahead.text else unquote(self.ahead.text)
        if value is None or any(0xD800 <= ord(char) < 0xE000 for char in value):
            raise self.fault("a valid Go string, in UTF-8")
        self.next()
        return value

    def fault(self, expected: str) -> BadMatcher:
        return _fault(self._text, self.ahead, expected)


def _fault(text: str, token: Token, expected: str) -> BadMatcher:
    found = repr(token.text) if token.text else _END
    return BadMatcher(f"{text!r}, column {token.column + 1}: expected {expected}, found {found}")


def _is_space(char: str) -> bool:
    # Python counts the four separators of ASCII as spaces; Go and Unicode do not.
    return char.isspace() and not "\x1c" <= char <= "\x1f"


def _is_reserved(char: str) -> bool:
    return char in _RESERVED or _is_space(char)
