"""Escaping what actions write into HTML, by where it is written.

An approximation of Go's html/template: the place is followed through the text that was in fact
written, not proven beforehand for all branches, and JavaScript and CSS are told apart from the
rest but not parsed. Where Go would refuse a template, this escapes for the strictest place.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar
from urllib.parse import quote

from pynomaly.gotemplate.builtins import html_escaped, js
from pynomaly.gotemplate.encode import to_json
from pynomaly.gotemplate.literals import octets
from pynomaly.gotemplate.show import Writer, sprint
from pynomaly.gotemplate.types import GoType, Kind

UNSAFE = "ZgotmplZ"
"""What stands for a value that cannot be written safely where it was to be written; as in Go."""


class SafeHtml(str):
    """Text that is HTML already."""

    go_type: ClassVar[GoType] = GoType("template.HTML", Kind.STRING)


class SafeUrl(str):
    """Text that is a URL already."""

    go_type: ClassVar[GoType] = GoType("template.URL", Kind.STRING)


class Place(Enum):
    """Where in the HTML the next character is."""

    TEXT = auto()
    RAW_TEXT = auto()  # title and textarea
    COMMENT = auto()
    TAG = auto()
    VALUE = auto()
    SCRIPT = auto()
    STYLE = auto()


_TAG_START = re.compile(r"<!--|<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_ATTRIBUTE = re.compile(r"\s*(>|/>|([^\s\"'>/=]+)(\s*=\s*([\"']?))?|.)", re.DOTALL)
_SPECIAL = {
    "script": Place.SCRIPT,
    "style": Place.STYLE,
    "title": Place.RAW_TEXT,
    "textarea": Place.RAW_TEXT,
}
_URLS = frozenset(
    [
        "action",
        "archive",
        "background",
        "cite",
        "classid",
        "codebase",
        "data",
        "formaction",
        "href",
        "icon",
        "longdesc",
        "manifest",
        "poster",
        "profile",
        "src",
        "usemap",
        "xmlns",
    ]
)
_SCHEME = re.compile(r"(?:https?|mailto):|[^:]*[/?#]|[^:]*$", re.IGNORECASE)
_CSS_SAFE = re.compile(r"[\w\s.,%#+-]*")
_ENTITY = re.compile(r"&(?:amp;|lt;|gt;|quot;|#\d+;|#x[0-9a-f]+;|\w+;)", re.IGNORECASE)


@dataclass(slots=True)
class HtmlOutput:
    """Writes text as it is and values escaped for where they stand."""

    out: Writer
    place: Place = Place.TEXT
    element: str = ""
    attribute: str = ""
    quote: str = ""
    written: str = ""
    """What the value of the attribute holds so far."""
    string: str = ""
    """The quote of the JavaScript string that is open."""

    def text(self, text: str) -> None:
        """Text of the template itself; comments are left out, as Go does."""
        at = 0
        while at < len(text):
            at = self._step(text, at)

    def value(self, value: object) -> None:
        """The value of an action."""
        self.out.write(self._escaped(value))
        if self.place is Place.VALUE:
            self.written += "x"

    def _step(self, text: str, at: int) -> int:
        """Follow the text from an index; returns the index where the place may have changed."""
        match self.place:
            case Place.TEXT:
                return self._in_text(text, at)
            case Place.COMMENT:
                end = text.find("-->", at)
                self.place = Place.TEXT if end >= 0 else Place.COMMENT
                return end + 3 if end >= 0 else len(text)
            case Place.TAG:
                return self._in_tag(text, at)
            case Place.VALUE:
                return self._in_value(text, at)
        return self._in_special(text, at)

    def _in_text(self, text: str, at: int) -> int:
        start = _TAG_START.search(text, at)
        if not start:
            self.out.write(text[at:])
            return len(text)
        if start.group() == "<!--":
            self.out.write(text[at : start.start()])
            self.place = Place.COMMENT
            return start.end()
        self.out.write(text[at : start.end()])
        self.place = Place.TAG
        self.element = "" if start[1] else start[2].lower()
        return start.end()

    def _in_tag(self, text: str, at: int) -> int:
        found = _ATTRIBUTE.match(text, at)
        if not found:
            self.out.write(text[at:])
            return len(text)
        self.out.write(found.group())
        if found[1] in (">", "/>"):
            self.place = _SPECIAL.get(self.element, Place.TEXT)
            self.string = ""
        elif found[3]:
            self.place, self.attribute = Place.VALUE, found[2].lower()
            self.quote, self.written, self.string = found[4], "", ""
        return found.end()

    def _in_value(self, text: str, at: int) -> int:
        end = re.compile(re.escape(self.quote) if self.quote else r"[\s>]").search(text, at)
        stop = end.start() if end else len(text)
        self.out.write(text[at:stop])
        self.written += text[at:stop]
        self._follow_strings(text[at:stop])
        if not end:
            return len(text)
        self.place = Place.TAG
        self.out.write(self.quote)
        return stop + len(self.quote)

    def _in_special(self, text: str, at: int) -> int:
        end = re.compile(rf"</{self.element}", re.IGNORECASE).search(text, at)
        stop = end.start() if end else len(text)
        self.out.write(text[at:stop])
        self._follow_strings(text[at:stop])
        if end:
            self.out.write(end.group())
            self.place, self.element = Place.TAG, ""
        return end.end() if end else len(text)

    def _follow_strings(self, text: str) -> None:
        skip = False
        for char in text:
            if skip:
                skip = False
            elif char == "\\":
                skip = bool(self.string)
            elif char == self.string:
                self.string = ""
            elif not self.string and char in "\"'`":
                self.string = char

    def _escaped(self, value: object) -> str:
        plain = "" if value is None else sprint((value,)).removeprefix("&" * _pointer(value))
        match self.place:
            case Place.TEXT:
                return plain if isinstance(value, SafeHtml) else html_escaped(plain)
            case Place.RAW_TEXT:
                return _normalised(plain) if isinstance(value, SafeHtml) else html_escaped(plain)
            case Place.COMMENT:
                return ""
            case Place.TAG:
                return plain if plain.isalnum() and not plain.lower().startswith("on") else UNSAFE
            case Place.SCRIPT:
                return self._script(value, plain)
            case Place.STYLE:
                return _css(plain)
        return self._attribute(value, plain)

    def _script(self, value: object, plain: str) -> str:
        return js(plain) if self.string else to_json(value)

    def _attribute(self, value: object, plain: str) -> str:
        name = self.attribute.removeprefix("data-")
        if name in _URLS or any(part in name for part in ("src", "uri", "url")):
            escaped = html_escaped(self._url(value, plain))
        elif name.startswith("on"):
            escaped = html_escaped(self._script(value, plain))
        elif name == "style":
            escaped = _css(plain)
        elif isinstance(value, SafeHtml):
            escaped = _normalised(re.sub(r"<[^>]*>", "", plain))
        else:
            escaped = html_escaped(plain)
        if self.quote:
            return escaped
        return re.sub(r"[\s=`]", lambda m: f"&#{ord(m[0])};", escaped) or UNSAFE

    def _url(self, value: object, plain: str) -> str:
        if isinstance(value, SafeUrl):
            return _url_normalised(plain)
        if "?" in self.written or "#" in self.written:
            return _lower_hex(quote(octets(plain), safe="~"))
        if not self.written and not _SCHEME.match(plain):
            return "#" + UNSAFE
        return _url_normalised(plain)


def _pointer(value: object) -> int:
    found = getattr(type(value), "go_type", None)
    return int(isinstance(found, GoType) and found.pointer)


def _normalised(text: str) -> str:
    """HTML for where only text may be: tags are escaped, entities kept."""
    out, at = [], 0
    for entity in _ENTITY.finditer(text):
        out += [html_escaped(text[at : entity.start()]), entity.group()]
        at = entity.end()
    return "".join([*out, html_escaped(text[at:])])


def _url_normalised(text: str) -> str:
    return _lower_hex(quote(octets(text), safe="!#$&*+,/:;=?@[]~%"))


def _lower_hex(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), text)


def _css(text: str) -> str:
    return text if _CSS_SAFE.fullmatch(text) else UNSAFE
