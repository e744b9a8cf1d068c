"""What can go wrong with a template, in Go's words."""


class TemplateError(Exception):
    """A template that cannot be parsed or executed.

    The message is Go's, for example
    ``template: x:1:3: executing "x" at <.y>: nil data; no entry for key "y"``.
    ``name`` is the template's, ``line`` counts from 1, ``column`` is the offset in bytes from 0
    as Go counts it, and None where Go gives none (in a template that does not parse).
    """

    def __init__(self, message: str, name: str, line: int = 1, column: int | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.line = line
        self.column = column


class FunctionError(Exception):
    """Raised by a function of a template; becomes ``error calling <function>: <message>``."""


class LimitReached(Exception):
    """A template asks for more work, output or nesting than it may have."""
