"""A look at an expression before it is parsed: its size, its brackets, its ``@`` times.

The parser underneath recurses, and ends the process where the stack ends. So whatever it is
given has been measured first, by a scan that needs constant stack.
"""

import math
import re
from dataclasses import dataclass, field

from pynomaly.promql.contract import ParseError

MAX_LENGTH = 65_536
"""Characters of an expression."""
MAX_OPERATORS = 1_000
"""Binary operators of an expression; parsing takes quadratic time in them."""
MAX_NESTING = 64
"""Brackets within brackets, and operators that nest to the right, together."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|`[^`]*`)
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:ms|[smhdwy]))+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_:][A-Za-z0-9_:.]*)
    |(?P<operator>==|!=|=~|!~|<=|>=|>/|</|[-+*/%^<>=])
    |(?P<bracket>[()\[\]{}])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
_CLOSES = {")": "(", "]": "[", "}": "{"}
_NAMES = {"(": "parenthesis", "[": "bracket", "{": "brace"}
_OLD_NAMES = {"holt_winters": "double_exponential_smoothing"}
"""Functions of Prometheus 2 that are called otherwise now."""
_MAX_AT_SECONDS = 2**63 / 1e9 * 1e6  # as Prometheus: milliseconds in an int64


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression; ``start`` is its 0-based position."""

    kind: str
    text: str
    start: int


@dataclass(slots=True)
class Scan:
    """What the scan found.

    ``text`` is the expression to parse: every time after an ``@`` is replaced by its index in
    ``times`` (milliseconds), since the parser loses negative and large ones, and a raw string is
    quoted, since it unescapes those, too; functions have their present names. ``weight``
    bounds the depth of the syntax tree.
    """

    expr: str
    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    operators: int = 0
    nesting: int = 0

    @property
    def weight(self) -> int:
        """No less than the depth of the syntax tree."""
        return self.operators + self.nesting

    def error(self, message: str, at: int) -> ParseError:
        """A parse error at a position, in Prometheus's words."""
        return parse_error(self.expr, message, at)


def parse_error(expr: str, message: str, at: int) -> ParseError:
    """``line:column: parse error: message``, both counted from 1."""
    line = expr.count("\n", 0, at) + 1
    column = at - (expr.rfind("\n", 0, at) + 1) + 1
    return ParseError(f"{line}:{column}: parse error: {message}")


def scan(expr: str) -> Scan:
    """Measure an expression and take out its ``@`` times.

    Raises:
        ParseError: it is too long, has too many operators or nests too deeply, its brackets or
            quotes do not match, or a time is out of range.
    """
    if len(expr) > MAX_LENGTH:
        raise parse_error(expr, f"the expression is longer than {MAX_LENGTH} characters", 0)
    result = Scan(expr)
    result.tokens = _tokens(result)
    _measure(result)
    result.text = _rewritten(result)
    return result


def _tokens(result: Scan) -> list[Token]:
    tokens = []
    for match in _TOKEN.finditer(result.expr):
        kind = match.lastgroup or "other"
        if kind == "space":
            continue
        if kind == "other" and match[0] in "\"'`":
            raise result.error("unterminated quoted string", match.start())
        tokens.append(Token(kind, match[0], match.start()))
    return tokens


def _measure(result: Scan) -> None:
    opened: list[Token] = []
    deepest = rightward = 0
    before = ""
    for token in result.tokens:
        if token.kind == "bracket":
            _follow_bracket(result, opened, token)
            deepest = max(deepest, len(opened))
        elif _is_operator(token) and not (opened and opened[-1].text == "{"):
            result.operators += 1
            rightward += token.text == "^" or (token.text in "+-" and before in ("+", "-"))
        before = token.text
        if result.operators > MAX_OPERATORS:
            message = f"the expression has more than {MAX_OPERATORS} operators"
            raise result.error(message, token.start)
        if deepest + rightward > MAX_NESTING:
            message = f"the expression nests more than {MAX_NESTING} levels deep"
            raise result.error(message, token.start)
    if opened:
        raise result.error(f"unclosed left {_NAMES[opened[-1].text]}", len(result.expr))
    result.nesting = deepest + rightward


def _is_operator(token: Token) -> bool:
    if token.kind == "word":
        return token.text.lower() in _WORD_OPERATORS
    return token.kind == "operator"


def _follow_bracket(result: Scan, opened: list[Token], token: Token) -> None:
    if token.text not in _CLOSES:
        opened.append(token)
        return
    wanted = _CLOSES[token.text]
    if not opened or opened[-1].text != wanted:
        raise result.error(f"unexpected right {_NAMES[wanted]} {token.text!r}", token.start)
    opened.pop()


def _rewritten(result: Scan) -> str:
    pieces: list[str] = []
    done = 0
    for index, token in enumerate(result.tokens):
        if token.kind == "string" and token.text[0] == "`":
            pieces += [result.expr[done : token.start], _quoted(token.text[1:-1])]
            done = token.start + len(token.text)
        if token.kind == "word" and token.text in _OLD_NAMES and _is_call(result.tokens, index):
            pieces += [result.expr[done : token.start], _OLD_NAMES[token.text]]
            done = token.start + len(token.text)
        if token.text != "@" or token.kind != "other":
            continue
        sign, number = _signed(result.tokens[index + 1 : index + 3])
        if number is None:
            continue
        pieces += [result.expr[done : token.start + 1], f" {len(result.times)}"]
        result.times.append(_milliseconds(result, sign, number))
        done = number.start + len(number.text)
    return "".join(pieces) + result.expr[done:]


def _is_call(tokens: list[Token], index: int) -> bool:
    return index + 1 < len(tokens) and tokens[index + 1].text == "("


def _quoted(raw: str) -> str:
    escaped = raw.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _signed(tokens: list[Token]) -> tuple[float, Token | None]:
    sign = 1.0
    if tokens and tokens[0].text in ("+", "-"):
        sign = -1.0 if tokens[0].text == "-" else 1.0
        tokens = tokens[1:]
    if not tokens:
        return sign, None
    is_time = tokens[0].kind == "number" or tokens[0].text.lower() in ("inf", "nan")
    return sign, tokens[0] if is_time else None


def _milliseconds(result: Scan, sign: float, token: Token) -> int:
    try:
        seconds = float(int(token.text, 0)) if token.text[:2] in ("0x", "0X") else float(token.text)
    except ValueError:
        seconds = duration_ms(token.text) / 1000
    if not math.isfinite(seconds) or seconds >= _MAX_AT_SECONDS:
        shown = f"{sign * seconds:f}"
        raise result.error(f"timestamp out of bounds for @ modifier: {shown}", token.start)
    return round(sign * seconds * 1000)


_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS_MS |= {"w": 7 * _UNITS_MS["d"], "y": 365 * _UNITS_MS["d"]}


def duration_ms(text: str) -> int:
    """The milliseconds of a Prometheus duration such as ``1h30m``."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)
