"""Evaluates a tree on data, with Go's rules and messages, and within limits."""

from collections.abc import Iterable, Sequence

from pynomaly.gotemplate import types
from pynomaly.gotemplate.builtins import BUILTINS
from pynomaly.gotemplate.errors import FunctionError, LimitReached, TemplateError
from pynomaly.gotemplate.execution import Execution
from pynomaly.gotemplate.functions import Function
from pynomaly.gotemplate.literals import MAX_INT, quoted
from pynomaly.gotemplate.nodes import (
    ActionNode,
    BoolNode,
    BranchNode,
    ChainNode,
    CommandNode,
    DotNode,
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
)
from pynomaly.gotemplate.show import MAX_TEXT, shown
from pynomaly.gotemplate.types import GoType, Kind, assignable, is_true, name_of, type_of


class _Missing:
    """No value comes from an earlier command of the pipeline."""


_MISSING = _Missing()


class _Jump(Exception):
    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


_Variables = list[tuple[str, object]]


def execute(run: Execution, data: object) -> None:
    """Write the tree of the execution for this data. Raises TemplateError."""
    try:
        _body(run, run.tree, data)
    except (FunctionError, LimitReached) as error:
        run.fail(str(error))
    except RecursionError:
        run.fail("exceeded maximum nesting")


def _body(run: Execution, tree: Tree, dot: object) -> None:
    if tree.root is None:
        run.fail(f"{quoted(tree.name)} is an incomplete or empty template")
    _Walk(run, [("$", dot)]).walk(dot, tree.root)


class _Walk:
    """The evaluation of one template's body: its variables, over an execution."""

    def __init__(self, execution: Execution, variables: _Variables) -> None:
        self.run = execution
        self.variables = variables

    # Nodes

    def walk(self, dot: object, node: Node) -> None:
        self.run.at(node)
        match node:
            case TextNode():
                self.run.output.text(node.text)
            case ActionNode():
                value = self.pipeline(dot, node.pipe)
                if not node.pipe.variables:
                    self.run.node = node
                    self.run.output.value(value)
            case ListNode():
                self._list(dot, node)
            case BranchNode(keyword="range"):
                self._range(dot, node)
            case BranchNode():
                self._if_or_with(dot, node)
            case TemplateNode():
                self._call_template(dot, node)
            case JumpNode():
                raise _Jump(node.keyword)
            case _:
                self.run.fail(f"unknown node: {node}")

    def _list(self, dot: object, nodes: ListNode) -> None:
        self.run.depth += 1
        if self.run.depth > self.run.limits.depth:
            self.run.fail(f"exceeded maximum template depth ({self.run.limits.depth})")
        try:
            for node in nodes.nodes:
                self.walk(dot, node)
        finally:
            self.run.depth -= 1

    def _if_or_with(self, dot: object, node: BranchNode) -> None:
        mark = len(self.variables)
        value = self.pipeline(dot, node.pipe)
        if is_true(value):
            self.walk(value if node.keyword == "with" else dot, node.body)
        elif node.otherwise:
            self.walk(dot, node.otherwise)
        del self.variables[mark:]

    def _range(self, dot: object, node: BranchNode) -> None:
        mark = len(self.variables)
        value = self.pipeline(dot, node.pipe)
        empty = True
        try:
            for key, element in self._elements(value, node):
                empty = False
                self._one_iteration(key, element, node)
        except _Jump as jump:
            if jump.keyword != "break":
                raise
        if empty and node.otherwise:
            self.walk(dot, node.otherwise)
        del self.variables[mark:]

    def _elements(self, value: object, node: BranchNode) -> Iterable[tuple[object, object]]:
        kind = types.kind_of(value)
        if kind is Kind.SLICE:
            return enumerate(types.sequence(value))
        if kind is Kind.MAP:
            entries = types.mapping(value)
            self.run.charge(len(entries))
            return [(key, entries[key]) for key in types.sorted_keys(entries)]
        if kind in (Kind.INT, Kind.UINT) and isinstance(value, int):
            if len(node.pipe.variables) > 1:
                self.run.fail(f"can't use {value} to iterate over more than one variable")
            return ((None, number) for number in range(value))
        if value is None:
            return ()
        return self.run.fail(f"range can't iterate over {shown(value)}")

    def _one_iteration(self, key: object, element: object, node: BranchNode) -> None:
        pipe = node.pipe
        values = [key, element] if len(pipe.variables) > 1 else [element]
        for offset, (variable, value) in enumerate(zip(pipe.variables, values, strict=False)):
            if pipe.assigns:
                self._assign(variable.names[0], value)
            else:
                place = offset - len(pipe.variables)
                self.variables[place] = (variable.names[0], value)
        mark = len(self.variables)
        try:
            self.walk(element, node.body)
        except _Jump as jump:
            if jump.keyword != "continue":
                raise
        finally:
            del self.variables[mark:]

    def _call_template(self, dot: object, node: TemplateNode) -> None:
        if node.name not in self.run.trees:
            self.run.fail(f"template {quoted(node.name)} not defined")
        data = self.pipeline(dot, node.pipe) if node.pipe else None
        before, self.run.tree = self.run.tree, self.run.trees[node.name]
        _body(self.run, self.run.tree, data)  # it sees no variables of this one
        self.run.tree = before

    # Pipelines

    def pipeline(self, dot: object, pipe: PipeNode) -> object:
        self.run.at(pipe)
        value: object = _MISSING
        for command in pipe.commands:
            value = self._command(dot, command, value)
        for variable in pipe.variables:
            if pipe.assigns:
                self._assign(variable.names[0], value)
            else:
                self.variables.append((variable.names[0], value))
        return value

    def _assign(self, name: str, value: object) -> None:
        for place in range(len(self.variables) - 1, -1, -1):
            if self.variables[place][0] == name:
                self.variables[place] = (name, value)
                return
        self.run.fail(f"undefined variable: {name}")

    def _value_of(self, name: str) -> object:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        return self.run.fail(f"undefined variable: {name}")

    def _command(self, dot: object, command: CommandNode, final: object) -> object:
        first = command.args[0]
        match first:
            case IdentifierNode():
                return self._function(dot, first, command, command.args[1:], final)
            case PipeNode():
                self._takes_nothing(command.args, final)
                return self.pipeline(dot, first)
            case FieldNode() | ChainNode() | VariableNode():
                return self._fields(dot, first, command.args, final)
        self.run.at(first)
        self._takes_nothing(command.args, final)
        if isinstance(first, NilNode):
            self.run.fail("nil is not a command")
        return self._literal(dot, first)

    def _takes_nothing(self, args: Sequence[Node], final: object) -> None:
        if len(args) > 1 or final is not _MISSING:
            self.run.fail(f"can't give argument to non-function {args[0]}")

    def _literal(self, dot: object, node: Node) -> object:
        match node:
            case BoolNode() | StringNode():
                return node.value
            case NumberNode():
                return self._number(node)
            case DotNode():
                return dot
        return self.run.fail(f"can't evaluate command {quoted(str(node))}")

    def _number(self, node: NumberNode) -> object:
        self.run.at(node)
        if node.ideal_float or node.integer is None:
            return node.value
        if node.integer > MAX_INT:
            self.run.fail(f"{node.text} overflows int")
        return node.integer

    # Fields and methods

    def _fields(self, dot: object, node: Node, args: Sequence[Node], final: object) -> object:
        self.run.at(node)
        match node:
            case FieldNode():
                receiver, names = dot, node.names
            case VariableNode():
                receiver, names = self._value_of(node.names[0]), node.names[1:]
            case ChainNode():
                if isinstance(node.term, NilNode):
                    self.run.fail(f"indirection through explicit nil in {node}")
                receiver, names = self._argument(dot, types.ANY, node.term), node.names
            case _:
                return self.run.fail(f"can't evaluate command {quoted(str(node))}")
        if not names:
            self._takes_nothing(args or [node], final)
            return receiver
        for name in names[:-1]:
            receiver = self._field(dot, name, node, (), _MISSING, receiver)
        return self._field(dot, names[-1], node, args[1:], final, receiver)

    def _field(
        self,
        dot: object,
        name: str,
        node: Node,
        args: Sequence[Node],
        final: object,
        receiver: object,
    ) -> object:
        found = type_of(receiver)
        if found is None:
            if self.run.missing_key == "error":
                self.run.fail(f"nil data; no entry for key {quoted(name)}")
            return None
        if method := found.methods.get(name):
            return self._call(dot, method, node, name, args, final, receiver)
        given = bool(args) or final is not _MISSING
        if name in found.fields:
            if given:
                self.run.fail(f"{name} has arguments but cannot be invoked as function")
            return found.fields[name](receiver)
        if found.kind is Kind.MAP:
            if given:
                self.run.fail(f"{name} is not a method but has arguments")
            return self._entry(found, name, receiver)
        return self.run.fail(f"can't evaluate field {name} in type {found.name}")

    def _entry(self, found: GoType, name: str, receiver: object) -> object:
        entries = types.mapping(receiver)
        if name in entries:
            return entries[name]
        if self.run.missing_key == "error":
            self.run.fail(f"map has no entry for key {quoted(name)}")
        return types.zero(found.elem) if self.run.missing_key == "zero" else None

    # Calls

    def _function(
        self, dot: object, node: IdentifierNode, at: Node, args: Sequence[Node], final: object
    ) -> object:
        self.run.at(node)
        function = self.run.functions.get(node.name)
        if function is None:
            self.run.fail(f"{quoted(node.name)} is not a defined function")
        if function is BUILTINS["and"] or function is BUILTINS["or"]:
            return self._short_circuit(dot, node.name, args, final)
        if function is BUILTINS["call"]:
            return self._call_value(dot, at, args, final)
        return self._call(dot, function, at, node.name, args, final)

    def _short_circuit(self, dot: object, name: str, args: Sequence[Node], final: object) -> object:
        if not args and final is _MISSING:
            self.run.fail(f"wrong number of args for {name}: want at least 1 got 0")
        value: object = None
        for arg in args:
            value = self._argument(dot, types.ANY, arg)
            if is_true(value) == (name == "or"):
                return value
        return value if final is _MISSING else final

    def _call(
        self,
        dot: object,
        function: Function,
        at: Node,
        name: str,
        args: Sequence[Node],
        final: object,
        *receiver: object,
    ) -> object:
        self._check_count(function, name, len(args), final)
        values = [self._argument(dot, function.param(i), arg) for i, arg in enumerate(args)]
        if final is not _MISSING:
            values.append(self._validated(final, function.param(len(args))))
        return self._invoke(function, at, name, [*receiver, *values])

    def _check_count(self, function: Function, name: str, given: int, final: object) -> None:
        total, fixed = given + (final is not _MISSING), len(function.params)
        if function.rest is not None and total < fixed:
            self.run.fail(f"wrong number of args for {name}: want at least {fixed} got {given}")
        if function.rest is None and total != fixed:
            self.run.fail(f"wrong number of args for {name}: want {fixed} got {total}")

    def _invoke(self, function: Function, at: Node, name: str, values: list[object]) -> object:
        self.run.charge(1 + sum(map(_weight, values)))
        leading = [self.run.context] if function.contextual else []
        try:
            value = function.call(*leading, *values)
        except (FunctionError, LimitReached, TemplateError) as error:
            self.run.at(at)
            self.run.fail(f"error calling {name}: {error}")
        self.run.charge(_weight(value))
        if isinstance(value, str) and len(value) > MAX_TEXT:
            self.run.fail(f"error calling {name}: the text is longer than {MAX_TEXT} characters")
        return value

    def _call_value(self, dot: object, at: Node, args: Sequence[Node], final: object) -> object:
        values = [self._argument(dot, types.ANY, arg) for arg in args]
        if final is not _MISSING:
            values.append(final)
        if not values:
            self.run.fail("wrong number of args for call: want at least 1 got 0")
        function = values[0]
        name = str(args[0]) if args else _callee(function)
        try:
            return self._called(function, name, at, values[1:])
        except FunctionError as error:
            self.run.at(at)
            return self.run.fail(f"error calling call: {error}")

    def _called(self, function: object, name: str, at: Node, values: list[object]) -> object:
        if function is None:
            raise FunctionError("call of nil")
        if not isinstance(function, Function):
            raise FunctionError(f"non-function {name} of type {name_of(function)}")
        fixed = len(function.params)
        if len(values) < fixed or (function.rest is None and len(values) != fixed):
            least = " at least" if function.rest is not None else ""
            raise FunctionError(
                f"wrong number of args for {name}: got {len(values)} want{least} {fixed}"
            )
        for index, value in enumerate(values):
            have, want = type_of(value), function.param(index)
            if have is not None and not assignable(have, want):
                raise FunctionError(
                    f"arg {index}: value has type {have.name}; should be {want.name}"
                )
        return self._invoke(function, at, name, values)

    # Arguments

    def _argument(self, dot: object, wanted: GoType, node: Node) -> object:
        self.run.at(node)
        match node:
            case DotNode():
                return self._validated(dot, wanted)
            case NilNode():
                if wanted.kind not in _NILLABLE:
                    self.run.fail(f"cannot assign nil to {wanted.name}")
                return None
            case FieldNode() | VariableNode() | ChainNode():
                return self._validated(self._fields(dot, node, (), _MISSING), wanted)
            case PipeNode():
                return self._validated(self.pipeline(dot, node), wanted)
            case IdentifierNode():
                value = self._function(dot, node, node, (), _MISSING)
                return self._validated(value, wanted)
        return self._constant(wanted, node)

    def _constant(self, wanted: GoType, node: Node) -> object:
        match wanted.kind, node:
            case Kind.ANY, _:
                return self._literal(None, node)
            case Kind.BOOL, BoolNode():
                return node.value
            case Kind.STRING, StringNode():
                return node.value
            case Kind.FLOAT, NumberNode():
                return node.value
            case Kind.INT | Kind.UINT, NumberNode() if node.integer is not None:
                return node.integer
        if wanted.kind not in _EXPECTED:
            self.run.fail(f"can't handle {node} for arg of type {wanted.name}")
        return self.run.fail(f"expected {_EXPECTED[wanted.kind]}; found {node}")

    def _validated(self, value: object, wanted: GoType) -> object:
        have = type_of(value)
        if have is None:
            if wanted.kind not in _NILLABLE:
                self.run.fail(f"invalid value; expected {wanted.name}")
        elif not assignable(have, wanted):
            self.run.fail(f"wrong type for value; expected {wanted.name}; got {have.name}")
        return value


_NILLABLE = (Kind.ANY, Kind.SLICE, Kind.MAP, Kind.FUNC)
_EXPECTED = {
    Kind.BOOL: "bool",
    Kind.STRING: "string",
    Kind.FLOAT: "float",
    Kind.INT: "integer",
    Kind.UINT: "unsigned integer",
}


def _callee(value: object) -> str:
    return value if isinstance(value, str) else f"<{name_of(value)} Value>"


def _weight(value: object) -> int:
    return len(value) // 256 if isinstance(value, str | list | dict) else 0
