"""From tokens to trees, with Go's messages."""

from collections.abc import Container, Sequence
from typing import NoReturn

from pynomaly.gotemplate import literals
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.lexer import Kind, Token, tokens
from pynomaly.gotemplate.nodes import (
    ActionNode,
    BoolNode,
    BranchNode,
    ChainNode,
    CommandNode,
    DotNode,
    EndNode,
    FieldNode,
    IdentifierNode,
    JumpNode,
    ListNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    StringNode,
    TemplateNode,
    TextNode,
    Tree,
    VariableNode,
    is_empty,
)

MAX_NESTING = 60
"""How deep actions and parentheses may nest; Go has no limit that is worth having."""

_OPERANDS = frozenset(
    (
        Kind.BOOL,
        Kind.RUNE,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NUMBER,
        Kind.STRING,
        Kind.VARIABLE,
        Kind.OPEN,
    )
)
_LITERALS = (BoolNode, DotNode, NilNode, NumberNode, StringNode)


def parse(name: str, text: str, functions: Container[str]) -> list[Tree]:
    """The template called ``name``, and those that it defines.

    ``functions`` are the names that may be called.

    Raises:
        TemplateError: with name and line.
    """
    parser = _Parser(name, text, functions)
    return parser.parse(tokens(text))


class _Parser:
    def __init__(self, name: str, text: str, functions: Container[str]) -> None:
        self.name = name
        self.text = text
        self.functions = functions
        self.trees: dict[str, Tree] = {}
        self.tree = Tree(name, name, text)
        self.variables = ["$"]
        self.ranges = 0
        self.depth = 0
        self.action_line = 0
        self.tokens: Sequence[Token] = ()
        self.at = self.last = 0
        self.furthest = 0

    def parse(self, found: Sequence[Token]) -> list[Tree]:
        self.tokens, self.last = found, len(found) - 1
        root = ListNode(self.tree, 0)
        main = self.tree
        while self.peek().kind is not Kind.EOF:
            if self._defines():
                self._definition()
                continue
            node = self._text_or_action()
            if isinstance(node, EndNode):
                self.fail(f"unexpected {node}")
            root.nodes.append(node)
        main.root = root
        self._add(main)
        return list(self.trees.values())

    def _add(self, tree: Tree) -> None:
        earlier = self.trees.get(tree.name)
        if earlier is None or is_empty(earlier.root):
            self.trees[tree.name] = tree
        elif not is_empty(tree.root):
            self.fail(f"template: multiple definition of template {literals.quoted(tree.name)}")

    # Tokens

    def next(self) -> Token:
        token = self.peek()
        if self.at < self.last:
            self.at += 1
        return token

    def peek(self) -> Token:
        if self.at > self.furthest:
            self.furthest = self.at
        return self.tokens[self.at]

    def next_word(self) -> Token:
        self.skip_space()
        return self.next()

    def peek_word(self) -> Token:
        self.skip_space()
        return self.peek()

    def skip_space(self) -> None:
        while self.tokens[self.at].kind is Kind.SPACE:
            self.at += 1

    def expect(self, kind: Kind, context: str) -> Token:
        token = self.next_word()
        if token.kind is not kind:
            self.unexpected(token, context)
        return token

    def fail(self, message: str) -> NoReturn:
        line = self.tokens[self.furthest].line
        raise TemplateError(f"template: {self.name}:{line}: {message}", self.name, line)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token} in {context}")
        extra = ""
        if self.action_line and self.action_line != token.line:
            extra = f" in action started at {self.name}:{self.action_line}"
            if token.text.endswith(" action"):
                extra = extra.removeprefix(" in action")
        self.fail(f"{token}{extra}")

    # Lists and actions

    def _defines(self) -> bool:
        if self.peek().kind is not Kind.LEFT:
            return False
        before = self.at
        self.next()
        token = self.next_word()
        if token.kind is Kind.KEYWORD and token.text == "define":
            return True
        self.at = before
        return False

    def _definition(self) -> None:
        name = self._template_name(self.next_word(), "define clause")
        self.expect(Kind.RIGHT, "define clause")
        self._subtree(name, "define clause")

    def _subtree(self, name: str, context: str) -> None:
        outer = self.tree, self.variables, self.ranges
        self.tree, self.variables, self.ranges = Tree(name, self.name, self.text), ["$"], 0
        self.tree.root, end = self._list()
        if end.keyword != "end":
            self.fail(f"unexpected {end} in {context}")
        self._add(self.tree)
        self.tree, self.variables, self.ranges = outer

    def _list(self) -> tuple[ListNode, EndNode]:
        nodes = ListNode(self.tree, self.peek_word().pos)
        self._deeper()
        while self.peek_word().kind is not Kind.EOF:
            node = self._text_or_action()
            if isinstance(node, EndNode):
                self.depth -= 1
                return nodes, node
            nodes.nodes.append(node)
        return self.fail("unexpected EOF")

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(f"exceeded maximum nesting ({MAX_NESTING})")

    def _text_or_action(self) -> Node:
        token = self.next_word()
        if token.kind is Kind.TEXT:
            return TextNode(self.tree, token.pos, token.text)
        if token.kind is not Kind.LEFT:
            self.unexpected(token, "input")
        self.action_line = token.line
        node = self._action()
        self.action_line = 0
        return node

    def _action(self) -> Node:
        token = self.peek_word()
        if token.kind is Kind.KEYWORD and token.text not in ("nil", "define"):
            self.next()
            return self._keyword(token)
        return ActionNode(self.tree, token.pos, self._pipeline("command", Kind.RIGHT))

    def _keyword(self, token: Token) -> Node:
        match token.text:
            case "if" | "with" | "range":
                return self._branch(token.text)
            case "else":
                return self._else()
            case "end":
                return EndNode(self.tree, self.expect(Kind.RIGHT, "end").pos, "end")
            case "template":
                return self._template_call()
            case "block":
                return self._block()
        return self._jump(token)

    def _jump(self, token: Token) -> Node:
        action = f"{{{{{token.text}}}}}"
        self.expect(Kind.RIGHT, action)
        if not self.ranges:
            self.fail(f"{action} outside {{{{range}}}}")
        return JumpNode(self.tree, token.pos, token.text)

    def _else(self) -> EndNode:
        token = self.peek_word()
        if token.kind is Kind.KEYWORD and token.text in ("if", "with"):
            return EndNode(self.tree, token.pos, "else")
        return EndNode(self.tree, self.expect(Kind.RIGHT, "else").pos, "else")

    def _branch(self, keyword: str) -> BranchNode:
        mark = len(self.variables)
        pipe = self._pipeline(keyword, Kind.RIGHT)
        self.ranges += keyword == "range"
        body, end = self._list()
        self.ranges -= keyword == "range"
        otherwise = None if end.keyword == "end" else self._otherwise(keyword, end)
        del self.variables[mark:]
        return BranchNode(self.tree, pipe.pos, keyword, pipe, body, otherwise)

    def _otherwise(self, keyword: str, end: EndNode) -> ListNode:
        token = self.peek()
        if keyword != "range" and token.kind is Kind.KEYWORD and token.text == keyword:
            self.next()
            self._deeper()
            nodes = ListNode(self.tree, end.pos, [self._branch(keyword)])
            self.depth -= 1
            return nodes
        otherwise, end = self._list()
        if end.keyword != "end":
            self.fail(f"expected end; found {end}")
        return otherwise

    def _template_call(self) -> TemplateNode:
        token = self.next_word()
        name = self._template_name(token, "template clause")
        if self.peek_word().kind is Kind.RIGHT:
            self.next()
            return TemplateNode(self.tree, token.pos, name, None)
        pipe = self._pipeline("template clause", Kind.RIGHT)
        return TemplateNode(self.tree, token.pos, name, pipe)

    def _block(self) -> TemplateNode:
        token = self.next_word()
        name = self._template_name(token, "block clause")
        pipe = self._pipeline("block clause", Kind.RIGHT)
        self._subtree(name, "block clause")
        return TemplateNode(self.tree, token.pos, name, pipe)

    def _template_name(self, token: Token, context: str) -> str:
        if token.kind is not Kind.STRING:
            self.unexpected(token, context)
        return self._unquoted(token)

    def _unquoted(self, token: Token) -> str:
        value = literals.unquote(token.text)
        if value is None:
            self.fail("invalid syntax")
        return value

    # Pipelines

    def _pipeline(self, context: str, end: Kind) -> PipeNode:
        pipe = PipeNode(self.tree, self.peek_word().pos)
        while self._declaration(pipe, context):
            pass
        while (token := self.peek_word()).kind is not end:
            if token.kind not in _OPERANDS and token.text != "nil":
                self.next()
                self.unexpected(token, context)
            pipe.commands.append(self._command())
        self.next()
        self._check(pipe, context)
        return pipe

    def _declaration(self, pipe: PipeNode, context: str) -> bool:
        """Take ``$x :=``, ``$x =`` or ``$x,``; says whether another variable may follow."""
        variable = self.peek_word()
        if variable.kind is not Kind.VARIABLE:
            return False
        before = self.at
        self.next()
        following = self.peek_word()
        comma = following.kind is Kind.CHAR and following.text == ","
        if not comma and following.kind not in (Kind.ASSIGN, Kind.DECLARE):
            self.at = before
            return False
        self.next()
        pipe.variables.append(VariableNode(self.tree, variable.pos, [variable.text]))
        self.variables.append(variable.text)
        if not comma:
            pipe.assigns = following.kind is Kind.ASSIGN
            return False
        if context != "range" or len(pipe.variables) > 1:
            self.fail(f"too many declarations in {context}")
        if self.peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.CLOSE):
            self.fail("range can only initialize variables")
        return True

    def _check(self, pipe: PipeNode, context: str) -> None:
        if not pipe.commands:
            self.fail(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], start=2):
            if isinstance(command.args[0], _LITERALS):
                self.fail(f"non executable command in pipeline stage {stage}")

    def _command(self) -> CommandNode:
        command = CommandNode(self.tree, self.peek_word().pos)
        while True:
            self.skip_space()
            operand = self._operand()
            if operand is not None:
                command.args.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.CLOSE):
                self.at -= 1
            elif token.kind is not Kind.PIPE:
                self.unexpected(token, "operand")
            break
        if not command.args:
            self.fail("empty command")
        return command

    def _operand(self) -> Node | None:
        term = self._term()
        if term is None or self.peek().kind is not Kind.FIELD:
            return term
        pos, names = self.peek().pos, []
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().text[1:])
        if isinstance(term, FieldNode):
            return FieldNode(self.tree, pos, term.names + names)
        if isinstance(term, VariableNode):
            return VariableNode(self.tree, pos, term.names + names)
        if isinstance(term, _LITERALS):
            self.fail(f"unexpected . after term {literals.quoted(str(term))}")
        return ChainNode(self.tree, pos, term, names)

    def _term(self) -> Node | None:
        token = self.peek_word()
        if token.kind not in _OPERANDS and token.text != "nil":
            return None
        self.next()
        match token.kind:
            case Kind.IDENTIFIER:
                if token.text not in self.functions:
                    self.fail(f'function "{token.text}" not defined')
                return IdentifierNode(self.tree, token.pos, token.text)
            case Kind.DOT:
                return DotNode(self.tree, token.pos)
            case Kind.KEYWORD:
                return NilNode(self.tree, token.pos)
            case Kind.VARIABLE:
                return self._variable(token)
            case Kind.FIELD:
                return FieldNode(self.tree, token.pos, [token.text[1:]])
            case Kind.BOOL:
                return BoolNode(self.tree, token.pos, token.text == "true")
            case Kind.STRING:
                return StringNode(self.tree, token.pos, token.text, self._unquoted(token))
            case Kind.OPEN:
                return self._parenthesis()
        return self._number(token)

    def _parenthesis(self) -> PipeNode:
        self._deeper()
        pipe = self._pipeline("parenthesized pipeline", Kind.CLOSE)
        self.depth -= 1
        return pipe

    def _variable(self, token: Token) -> VariableNode:
        if token.text not in self.variables:
            self.fail(f'undefined variable "{token.text}"')
        return VariableNode(self.tree, token.pos, [token.text])

    def _number(self, token: Token) -> NumberNode:
        if token.kind is Kind.RUNE:
            code = literals.rune(token.text)
            if code is None:
                self.fail(f"malformed character constant: {token.text}")
            return NumberNode(self.tree, token.pos, token.text, code, float(code), False)
        if token.text.endswith("i"):
            self.fail(f"complex numbers are not supported: {token.text}")
        whole, value = literals.integer(token.text), literals.real(token.text)
        if whole is None and value is not None and value in (float("inf"), float("-inf")):
            value = None
        if whole is None and value is None:
            if value is None and token.text.lstrip("+-").isdigit():
                self.fail(f'integer overflow: "{token.text}"')
            self.fail(f'illegal number syntax: "{token.text}"')
        ideal = whole is None or (any(c in token.text for c in ".eEpP") and not _is_hex(token.text))
        number = float(whole) if value is None and whole is not None else value or 0.0
        if whole is None and number.is_integer() and abs(number) < 2**63:
            whole = int(number)
        return NumberNode(self.tree, token.pos, token.text, whole, number, ideal)


def _is_hex(text: str) -> bool:
    return text.lstrip("+-")[:2] in ("0x", "0X") and not any(c in text for c in "pP")
