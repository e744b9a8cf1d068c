"""Go's ``fmt.Sprintf``: the format, and what it says of mistakes instead of failing."""

import re

from pynomaly.gotemplate.show import Flags, Shower, Writer
from pynomaly.gotemplate.types import Kind, kind_of, name_of

_MOST = 1_000_000  # Go's own bound of a width or a precision
_INDEX = re.compile(r"\[(\d{1,7})\]")
_NUMBER = re.compile(r"\d+")
_FLAGS = re.compile(r"[-+# 0]*")


def sprintf(template: str, *values: object) -> str:
    """Format by Go's verbs.

    >>> sprintf("%5.2f|%-4s|%q|%+d|%d", 3.14159, "ab", "c", 7, "x")
    ' 3.14|ab  |"c"|+7|%!d(string=x)'
    >>> sprintf("%d %s", 1), sprintf("x", 1)
    ('1 %!s(MISSING)', 'x%!(EXTRA int=1)')
    """
    return _Sprintf(template, values).run()


class _Sprintf:
    def __init__(self, template: str, values: tuple[object, ...]) -> None:
        self.template = template
        self.values = values
        self.at = 0
        self.arg = 0
        self.reordered = False
        self.indexed = False
        self.good_index = True
        self.out = Writer()
        self.shower = Shower(self.out)

    def run(self) -> str:
        while (percent := self.template.find("%", self.at)) >= 0:
            self.out.write(self.template[self.at : percent])
            self.at = percent + 1
            self._verb()
        self.out.write(self.template[self.at :])
        if not self.reordered and self.arg < len(self.values):
            self._extra()
        return str(self.out)

    def _verb(self) -> None:
        flags = self._flags()
        self.shower.flags = flags
        self.good_index, self.indexed = True, False
        self._index()
        self._width(flags)
        self._precision(flags)
        if not self.indexed:
            self._index()
        if self.at >= len(self.template):
            self.out.write("%!(NOVERB)")
            return
        verb = self.template[self.at]
        self.at += 1
        self._show(verb, flags)

    def _show(self, verb: str, flags: Flags) -> None:
        if verb == "%":
            self.out.write("%")
        elif not self.good_index:
            self.out.write(f"%!{verb}(BADINDEX)")
        elif self.arg >= len(self.values):
            self.out.write(f"%!{verb}(MISSING)")
        else:
            if verb == "w":
                self.shower.bad(self.values[self.arg], verb)
            else:
                if verb == "v":
                    flags.sharp_v, flags.sharp = flags.sharp, False
                    flags.plus_v, flags.plus = flags.plus, False
                self.shower.show(self.values[self.arg], verb)
            self.arg += 1

    def _flags(self) -> Flags:
        found = _FLAGS.match(self.template, self.at)
        assert found
        self.at = found.end()
        given = found.group()
        return Flags("+" in given, "-" in given, "#" in given, " " in given, "0" in given)

    def _width(self, flags: Flags) -> None:
        if self._take("*"):
            width = self._number_argument()
            if width is None:
                self.out.write("%!(BADWIDTH)")
            elif width < 0:
                flags.minus, flags.zero, width = True, False, -width
            flags.width = width
            self.indexed = False
        else:
            flags.width = self._number()
            if self.indexed and flags.width is not None:
                self.good_index = False  # "%[3]2d"

    def _precision(self, flags: Flags) -> None:
        if not self._take("."):
            return
        if self.indexed:
            self.good_index = False  # "%[3].2d"
        self._index()
        if self._take("*"):
            flags.precision = self._number_argument()
            if flags.precision is None or flags.precision < 0:
                flags.precision = None
                self.out.write("%!(BADPREC)")
            self.indexed = False
        else:
            flags.precision = self._number() or 0

    def _take(self, char: str) -> bool:
        if self.template.startswith(char, self.at):
            self.at += 1
            return True
        return False

    def _number(self) -> int | None:
        found = _NUMBER.match(self.template, self.at)
        if not found:
            return None
        self.at = found.end()
        return (
            int(found.group()) if len(found.group()) < 8 and int(found.group()) <= _MOST else None
        )

    def _number_argument(self) -> int | None:
        if self.arg >= len(self.values):
            return None
        value = self.values[self.arg]
        self.arg += 1
        fits = kind_of(value) in (Kind.INT, Kind.UINT) and isinstance(value, int)
        return int(value) if fits and isinstance(value, int) and abs(value) <= _MOST else None

    def _index(self) -> None:
        """Take ``[n]``: which argument comes next."""
        if not self.template.startswith("[", self.at):
            return
        self.reordered = True
        found = _INDEX.match(self.template, self.at)
        end = self.template.find("]", self.at)
        if found and 1 <= int(found.group(1)) <= len(self.values):
            self.arg = int(found.group(1)) - 1
            self.indexed = True
        else:
            self.good_index = False
        self.at = end + 1 if end >= 0 else self.at + 1

    def _extra(self) -> None:
        self.shower.flags = Flags()
        self.out.write("%!(EXTRA ")
        for index, value in enumerate(self.values[self.arg :]):
            if index:
                self.out.write(", ")
            self.out.write(name_of(value))
            if value is not None:
                self.out.write("=")
                self.shower.show(value, "v")
        self.out.write(")")
