"""``label_replace`` and ``label_join``."""

import re
from typing import Any

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import compile_anchored
from pynomaly.promql.contract import Matrix, QueryError
from pynomaly.promql.matrices import merged, with_labels

_DIGITS = re.compile(r"([0-9]+)")
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def label_replace(
    matrix: Matrix, target: str, replacement: str, source: str, pattern: str
) -> Matrix:
    """Set ``target`` to ``replacement`` in series whose label ``source`` matches ``pattern``."""
    try:
        regex = compile_anchored(pattern)
    except BadInput as error:
        message = f"invalid regular expression in label_replace(): {pattern}"
        raise QueryError(message) from error
    _check_name(target, "destination", "label_replace")
    labels = []
    for each in matrix.labels:
        match = regex.fullmatch(each.get(source, ""))
        labels.append(_set(each, target, _expanded(replacement, match)) if match else each)
    return merged(with_labels(matrix, labels))


def _expanded(template: str, match: Any) -> str:
    """Go's ``Regexp.Expand``: ``$1``, ``${name}``, ``$$``; what does not exist is empty."""

    def value(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        group = int(name) if name.isdigit() else match.re.groupindex.get(name, -1)
        return (match.group(group) or "") if 0 <= group <= match.re.groups else ""

    return _REFERENCE.sub(value, template)


def label_join(matrix: Matrix, target: str, separator: str, sources: list[str]) -> Matrix:
    """Set ``target`` to the values of ``sources``, joined."""
    for source in sources:
        _check_name(source, "source", "label_join")
    _check_name(target, "destination", "label_join")
    labels = [
        _set(each, target, separator.join([each.get(source, "") for source in sources]))
        for each in matrix.labels
    ]
    return merged(with_labels(matrix, labels))


def _set(labels: Labels, name: str, value: str) -> Labels:
    return Labels({**dict(labels.pairs), name: value})


def _check_name(name: str, which: str, function: str) -> None:
    if not name:
        raise QueryError(f"invalid {which} label name in {function}(): {name}")


def natural_order(labels: list[Labels], names: list[str], *, descending: bool = False) -> list[int]:
    """Rows ordered by the values of some labels, numbers within them by their size."""

    def key(row: int) -> tuple[object, ...]:
        each = labels[row]
        return (*(_natural(each.get(name, "")) for name in names), each.pairs)

    return sorted(range(len(labels)), key=key, reverse=descending)


def _natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Pieces of digits and of other characters; digits come first, by their number."""
    pieces = _DIGITS.split(text)
    return tuple(
        (not piece.isdecimal(), int(piece) if piece.isdecimal() else 0, piece)
        for piece in pieces
        if piece
    )
