"""Alertmanager's templates: its functions, and the data that a notification shows."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from pynomaly.gotemplate import text
from pynomaly.gotemplate.encode import to_json
from pynomaly.gotemplate.errors import FunctionError, LimitReached
from pynomaly.gotemplate.functions import Function, functions, methods
from pynomaly.gotemplate.html import SafeHtml, SafeUrl
from pynomaly.gotemplate.layouts import parse_time
from pynomaly.gotemplate.literals import decoded, octets, quoted
from pynomaly.gotemplate.show import MAX_TEXT
from pynomaly.gotemplate.template import Templates
from pynomaly.gotemplate.times import Duration, Time, in_zone
from pynomaly.gotemplate.types import STRING, GoType, Kind, Strings

ALERT_NAME = "alertname"
_MOST_ELEMENTS = 10_000


class Names(Strings):
    """A list of strings with the method Join."""

    go_type: ClassVar[GoType]


@dataclass(frozen=True, slots=True)
class Pair:
    """A label or annotation."""

    name: str
    value: str

    go_type: ClassVar[GoType] = GoType(
        "template.Pair",
        Kind.STRUCT,
        fields={"Name": attrgetter("name"), "Value": attrgetter("value")},
    )


class Pairs(list[Pair]):
    """Labels or annotations in order."""

    go_type: ClassVar[GoType]

    def __str__(self) -> str:
        return ", ".join(f"{pair.name}={pair.value}" for pair in self)


class KV(dict[str, str]):
    """Labels or annotations. ``absent``: there is no such set, which JSON shows as null."""

    go_type: ClassVar[GoType]
    absent = False

    @classmethod
    def none(cls) -> "KV":
        """The set that is not there."""
        found = cls()
        found.absent = True
        return found

    def sorted_pairs(self) -> Pairs:
        """By name, the name of the alert first."""
        names = sorted(self, key=lambda name: (name != ALERT_NAME, name))
        return Pairs(Pair(name, self[name]) for name in names)

    def remove(self, names: Iterable[str]) -> "KV":
        """Without these names."""
        gone = frozenset(names)
        return KV((name, value) for name, value in self.items() if name not in gone)

    def __str__(self) -> str:
        return str(self.sorted_pairs())


def _join_method(names: Names, separator: str) -> str:
    return join(separator, names)


def _pair_names(pairs: Pairs) -> Names:
    return Names(pair.name for pair in pairs)


def _pair_values(pairs: Pairs) -> Names:
    return Names(pair.value for pair in pairs)


def _pairs_text(pairs: Pairs) -> str:
    return str(pairs)


def _kv_text(kv: KV) -> str:
    return str(kv)


def _sorted_pairs(kv: KV) -> Pairs:
    return kv.sorted_pairs()


def _remove(kv: KV, names: list[str]) -> KV:
    return kv.remove(names or ())


def _kv_names(kv: KV) -> Names:
    return _pair_names(kv.sorted_pairs())


def _kv_values(kv: KV) -> Names:
    return _pair_values(kv.sorted_pairs())


Names.go_type = GoType(
    "template.Strings", Kind.SLICE, STRING, "[]string", methods=methods(Join=_join_method)
)
Pairs.go_type = GoType(
    "template.Pairs",
    Kind.SLICE,
    Pair.go_type,
    string=str,
    methods=methods(Names=_pair_names, Values=_pair_values, String=_pairs_text),
)
KV.go_type = GoType(
    "template.KV",
    Kind.MAP,
    STRING,
    "map[string]string",
    string=str,
    json=lambda kv: None if kv.absent else dict(kv),
    methods=methods(
        SortedPairs=_sorted_pairs,
        Remove=_remove,
        Names=_kv_names,
        Values=_kv_values,
        String=_kv_text,
    ),
)


def _struct(name: str, of: type, tags: Mapping[str, str], own: Mapping[str, Function]) -> GoType:
    """The type of a dataclass whose attributes are the fields of ``tags``, in its order."""
    reads: dict[str, Callable[[object], object]] = {
        go: attrgetter(attribute.name) for go, attribute in zip(tags, fields(of), strict=False)
    }
    return GoType(name, Kind.STRUCT, fields=reads, tags=tags, methods=own)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification."""

    status: str = ""
    labels: KV = field(default_factory=KV.none)
    annotations: KV = field(default_factory=KV.none)
    starts_at: Time = field(default_factory=Time)
    ends_at: Time = field(default_factory=Time)
    generator_url: str = ""
    fingerprint: str = ""

    go_type: ClassVar[GoType]


Alert.go_type = _struct(
    "template.Alert",
    Alert,
    {
        "Status": "status",
        "Labels": "labels",
        "Annotations": "annotations",
        "StartsAt": "startsAt",
        "EndsAt": "endsAt",
        "GeneratorURL": "generatorURL",
        "Fingerprint": "fingerprint",
    },
    {},
)


class AlertList(list[Alert]):
    """Some of the alerts."""

    go_type: ClassVar[GoType] = GoType("[]template.Alert", Kind.SLICE, Alert.go_type)


class Alerts(AlertList):
    """The alerts of a notification."""

    go_type: ClassVar[GoType]


def _firing(alerts: Alerts) -> AlertList:
    return AlertList(alert for alert in alerts if alert.status == "firing")


def _resolved(alerts: Alerts) -> AlertList:
    return AlertList(alert for alert in alerts if alert.status == "resolved")


Alerts.go_type = GoType(
    "template.Alerts",
    Kind.SLICE,
    Alert.go_type,
    AlertList.go_type.name,
    methods=methods(Firing=_firing, Resolved=_resolved),
)


@dataclass(frozen=True, slots=True)
class Data:
    """What the templates of a notification see."""

    receiver: str = ""
    status: str = ""
    alerts: Alerts = field(default_factory=Alerts)
    notification_reason: str = ""
    group_labels: KV = field(default_factory=KV)
    common_labels: KV = field(default_factory=KV)
    common_annotations: KV = field(default_factory=KV)
    route_labels: KV = field(default_factory=KV)
    external_url: str = ""
    route_labels_rendered: bool = False
    """The labels of the route are text by now, not templates."""

    go_type: ClassVar[GoType]


Data.go_type = _struct(
    "*template.Data",
    Data,
    {
        "Receiver": "receiver",
        "Status": "status",
        "Alerts": "alerts",
        "NotificationReason": "notification_reason",
        "GroupLabels": "groupLabels",
        "CommonLabels": "commonLabels",
        "CommonAnnotations": "commonAnnotations",
        "RouteLabels": "routeLabels",
        "ExternalURL": "externalURL",
    },
    {},
)


@dataclass(slots=True)
class Rendering:
    """The context of one rendering: the time, and the labels of the route."""

    now: Time
    route_label: Callable[[str], str]


def trim_space(value: str) -> str:
    """Without space at both ends."""
    return value.strip()


def join(separator: str, values: list[str]) -> str:
    """The texts with a separator between."""
    size = sum(map(len, values or ())) + len(separator) * len(values or ())
    if size > MAX_TEXT:
        raise LimitReached(f"the text is longer than {MAX_TEXT} characters")
    return separator.join(values or ())


def safe_html(value: str) -> SafeHtml:
    """Text that is not escaped in HTML."""
    return SafeHtml(value)


def safe_url(value: str) -> SafeUrl:
    """Text that is taken as a URL in HTML."""
    return SafeUrl(value)


def url_unescape(value: str) -> str:
    """What a part of a URL's query means."""
    at = value.find("%")
    while at >= 0:
        digits = value[at + 1 : at + 3]
        if len(digits) < 2 or any(c not in "0123456789abcdefABCDEF" for c in digits):
            raise FunctionError(f"invalid URL escape {quoted(value[at : at + 3])}")
        at = value.find("%", at + 3)
    return decoded(unquote_to_bytes(octets(value.replace("+", " "))))


def string_slice(*values: str) -> Strings:
    """A []string of these."""
    return Strings(values)


def date(layout: str, at: Time) -> str:
    """A time by a layout."""
    return at.format(layout)


def tz(name: str, at: Time) -> Time:
    """A time in a zone."""
    return in_zone(name, at)


def now(context: Rendering) -> Time:
    """The time of the notification."""
    return context.now


def since(context: Rendering, at: Time) -> Duration:
    """How long ago a time is."""
    return Duration(context.now.nanoseconds - at.nanoseconds)


def to_date(layout: str, value: str) -> Time:
    """The time that a text says; the zero time if it says none."""
    try:
        return must_to_date(layout, value)
    except FunctionError:
        return Time()


def must_to_date(layout: str, value: str) -> Time:
    """The time that a text says."""
    return Time(parse_time(layout, value))


def base64encode(value: str) -> str:
    """In base64 with the alphabet for URLs."""
    return base64.urlsafe_b64encode(octets(value)).decode()


def base64decode(value: str) -> str:
    """From base64 with the alphabet for URLs."""
    standard = value.replace("-", "+").replace("_", "/")
    bad = "+" in value or "/" in value
    try:
        if bad:
            raise binascii.Error
        return decoded(base64.b64decode(standard, validate=True))
    except (binascii.Error, ValueError) as error:
        raise FunctionError("illegal base64 data in the input") from error


def list_(*values: object) -> list[object]:
    """A list of these."""
    return _bounded(list(values))


def append(values: list[object], *others: object) -> list[object]:
    """A list with others behind."""
    return _bounded([*(values or ()), *others])


def _bounded(values: list[object]) -> list[object]:
    if len(values) > _MOST_ELEMENTS:
        raise LimitReached(f"the list is longer than {_MOST_ELEMENTS}")
    return values


def dict_(*values: object) -> dict[str, object]:
    """A map of keys and values in turn."""
    if len(values) % 2:
        raise FunctionError("dict requires an even number of arguments")
    keys = values[::2]
    if not all(type(key) is str for key in keys):
        raise FunctionError("dict keys must be strings")
    return {str(key): value for key, value in zip(keys, values[1::2], strict=True)}


def route_labels(context: Rendering, name: str) -> str:
    """A label of the route, itself a template."""
    return context.route_label(name)


FUNCTIONS = functions(
    toUpper=text.upper,
    toLower=text.lower,
    title=text.title_lowered,
    trimSpace=trim_space,
    join=join,
    match=text.matches,
    safeHtml=safe_html,
    safeUrl=safe_url,
    urlUnescape=url_unescape,
    reReplaceAll=text.replace_all,
    stringSlice=string_slice,
    routeLabels=route_labels,
    date=date,
    tz=tz,
    now=now,
    since=since,
    humanizeDuration=text.humanize_duration,
    toDate=to_date,
    mustToDate=must_to_date,
    toJson=to_json,
    base64encode=base64encode,
    base64decode=base64decode,
    append=append,
    dict=dict_,
    list=list_,
)


class MessageTemplates:
    """Alertmanager's templates: texts defined in files, and messages that call them.

    Functions given besides Alertmanager's own do not replace these.
    """

    def __init__(self, further: Mapping[str, Function] | None = None) -> None:
        known = {**(further or {}), **FUNCTIONS}
        self._text = Templates(known, missing_key="zero")
        self._html = Templates(known, missing_key="zero", html=True)

    def add(self, name: str, source: str) -> None:
        """Take in the definitions of a template file. Raises TemplateError."""
        self._text.parse(name, source)
        self._html.parse(name, source)

    def text(self, message: str, data: object, now: Time) -> str:
        """A message as text. Raises TemplateError."""
        return self._render(self._text, message, data, now)

    def html(self, message: str, data: object, now: Time) -> str:
        """A message as HTML: what actions write is escaped. Raises TemplateError."""
        return self._render(self._html, message, data, now)

    def _render(self, among: Templates, message: str, data: object, now: Time) -> str:
        if not message:
            return ""
        labels = _RouteLabels(among, data, now)
        return among.render(message, data, Rendering(now, labels.resolve))


class _RouteLabels:
    """Labels of the route: each is rendered once; one that needs itself is an error."""

    def __init__(self, among: Templates, data: object, now: Time) -> None:
        self._among = among
        self._data = data
        self._now = now
        self._rendered: dict[str, str] = {}
        self._within: list[str] = []

    def resolve(self, name: str) -> str:
        labels: Mapping[str, str] = self._data.route_labels if isinstance(self._data, Data) else {}
        if name not in labels:
            return ""
        if isinstance(self._data, Data) and self._data.route_labels_rendered:
            return labels[name]
        if name in self._rendered:
            return self._rendered[name]
        if name in self._within:
            cycle = " -> ".join([*self._within, name])
            raise FunctionError(f"route label cycle detected: {cycle}")
        self._within.append(name)
        context = Rendering(self._now, self.resolve)
        self._rendered[name] = self._among.render(labels[name], self._data, context)
        self._within.pop()
        return self._rendered[name]
