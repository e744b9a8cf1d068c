"""Templates and sets of them: parse once, execute on data."""

import copy
from collections.abc import Mapping

from pynomaly.gotemplate.builtins import BUILTINS
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.execution import Execution, Limits, Output
from pynomaly.gotemplate.executor import execute
from pynomaly.gotemplate.functions import Function
from pynomaly.gotemplate.html import HtmlOutput
from pynomaly.gotemplate.literals import clean
from pynomaly.gotemplate.nodes import Tree, is_empty
from pynomaly.gotemplate.parser import parse
from pynomaly.gotemplate.show import Writer, shown

MISSING_KEYS = frozenset(("default", "invalid", "zero", "error"))
_LIMITS = Limits()


class Templates:
    """Templates that can call each other by name.

    ``functions`` are those besides Go's own. ``html`` escapes what actions write.
    ``missing_key`` is Go's option ``missingkey``: what an absent key of a map gives, ``default``
    (``<no value>``), ``zero`` (the zero of the map's values) or ``error``.
    """

    def __init__(
        self,
        functions: Mapping[str, Function] | None = None,
        *,
        html: bool = False,
        missing_key: str = "default",
        limits: Limits = _LIMITS,
    ) -> None:
        if missing_key not in MISSING_KEYS:
            raise ValueError(f"unrecognized option: missingkey={missing_key}")
        self.functions = {**BUILTINS, **(functions or {})}
        self.html = html
        self.missing_key = missing_key
        self.limits = limits
        self.trees: dict[str, Tree] = {}

    def copy(self) -> "Templates":
        """The same templates, to which others can be added."""
        copied = copy.copy(self)  # the functions are shared: they never change
        copied.trees = dict(self.trees)
        return copied

    def parse(self, name: str, text: str) -> "Template":
        """Add a template and those that it defines.

        One that is empty but for space does not take the place of one that is not; any other
        replaces one of its name from an earlier text.

        Raises:
            TemplateError: the text is no template, or defines one name twice.
        """
        for tree in parse(name, text, self.functions):
            if tree.name not in self.trees or not is_empty(tree.root):
                self.trees[tree.name] = tree
        return Template(self, name)

    def execute(self, name: str, data: object, context: object = None) -> str:
        """What the template gives for this data.

        ``context`` is passed to the functions that take one.

        Raises:
            TemplateError: with name, line and column of the fault; nothing else is raised for
                a fault of the template or of its data.
        """
        if name not in self.trees:
            raise TemplateError(f'template: no template "{name}"', name)
        out = Writer(self.limits.output)
        output: Output = HtmlOutput(out) if self.html else TextOutput(out)
        run = Execution(
            self.trees,
            self.functions,
            self.missing_key,
            context,
            output,
            self.limits,
            self.trees[name],
        )
        execute(run, data)
        return clean(str(out))

    def render(self, text: str, data: object, context: object = None) -> str:
        """Parse a text beside these templates, without adding it, and execute it.

        Raises:
            TemplateError: as for parse and execute.
        """
        among = self.copy()
        return among.parse("", text).execute(data, context)


class Template:
    """One template of a set."""

    def __init__(self, among: Templates, name: str) -> None:
        self.among = among
        self.name = name

    @classmethod
    def parse(
        cls,
        name: str,
        text: str,
        functions: Mapping[str, Function] | None = None,
        *,
        html: bool = False,
        missing_key: str = "default",
    ) -> "Template":
        """A template in a set of its own. Raises TemplateError.

        >>> Template.parse("x", "{{range .}}{{printf `%03d` .}} {{end}}").execute([1, 22])
        '001 022 '
        """
        return Templates(functions, html=html, missing_key=missing_key).parse(name, text)

    def execute(self, data: object, context: object = None) -> str:
        """What it gives for this data. Raises TemplateError."""
        return self.among.execute(self.name, data, context)


class TextOutput:
    """Writes values as they are shown."""

    def __init__(self, out: Writer) -> None:
        self.out = out

    def text(self, text: str) -> None:
        """Text of the template itself."""
        self.out.write(text)

    def value(self, value: object) -> None:
        """The value of an action."""
        self.out.write(shown(value))
