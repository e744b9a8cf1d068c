"""Holds an answer against what a script says it must be."""

import math
import re
import shlex
from collections.abc import Sequence

import numpy as np

from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.conformance.script import Eval
from pynomaly.promql.contract import Matrix, QueryResult, Scalar, String
from pynomaly.promql.notation import Points

TOLERANCE = 1e-6
"""The relative difference that counts as none."""

_PLACE = re.compile(r" \\?\((\d+|\[0-9\]\+):(\d+|\[0-9\]\+)\\?\)$")
"""Where in the expression, as Prometheus adds to its notes; we do not. Also as a pattern."""


def check_failure(case: Eval, error: PynomalyError) -> str:
    """What is wrong when the query failed; empty when it must, with that text."""
    wanted = case.wants("fail")
    if not wanted:
        return f"failed: {error}"
    said = [error.message]
    return next(filter(None, (_check_text(how, text, said) for how, text in wanted)), "")


def check_answer(case: Eval, result: QueryResult) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if case.wants("fail"):
        return "it did not fail"
    if case.native:
        return "native histograms expected"
    return _check_notes(case, result) or _check_value(case, result)


def _check_notes(case: Eval, result: QueryResult) -> str:
    for kind, notes in (("warn", result.warnings), ("info", result.infos)):
        if notes and case.wants(f"no_{kind}"):
            return f"unexpected {kind}: {list(notes)}"
        wanted = case.wants(kind)
        if wanted and not notes:
            return f"no {kind}, wanted {[text for _, text in wanted]}"
        for how, text in wanted:
            if wrong := _check_text(how, _PLACE.sub("", text), notes):
                return wrong
    return ""


def _check_text(how: str, text: str, found: Sequence[str]) -> str:
    if how == "msg" and text.strip('"') not in [each.strip('"') for each in found]:
        return f"found {list(found)}, wanted {text!r}"
    if how == "regex" and not any(re.search(text, each) for each in found):
        return f"found {list(found)}, wanted /{text}/"
    return ""


def _check_value(case: Eval, result: QueryResult) -> str:
    match result.value:
        case String(_, value):
            wanted = [_text(text) for _, text in case.wants("string")]
            return "" if [value] == wanted else f"found {value!r}, wanted {wanted}"
        case Scalar() as scalar:
            return _check_scalar(case, scalar)
        case SeriesSamples() as samples:
            return _check_samples(case, samples)
        case Matrix() as matrix:
            return check_matrix(case, matrix)


def _text(literal: str) -> str:
    return literal[1:-1] if literal.startswith("`") else shlex.split(literal)[0]


def _check_scalar(case: Eval, scalar: Scalar) -> str:
    if not case.instant:
        values = scalar.values[None, :]
        present = np.ones(values.shape, dtype=np.bool_)
        return check_matrix(case, Matrix([Labels()], case.grid.times, values, present))
    found = float(scalar.values[0])
    if case.scalar is None:
        return f"found the scalar {found}"
    return "" if close(found, case.scalar) else f"found {found}, wanted {case.scalar}"


def _check_samples(case: Eval, samples: SeriesSamples) -> str:
    found = {
        labels: samples.values[samples.offsets[i] : samples.offsets[i + 1]].tolist()
        for i, labels in enumerate(samples.labels)
    }
    wanted = {labels: [p for p in points if p is not None] for labels, points in case.series}
    if found.keys() != wanted.keys():
        return f"found {found}, wanted {wanted}"
    for labels, values in found.items():
        if len(values) != len(wanted[labels]) or not all(map(close, values, wanted[labels])):
            return f"{labels}: found {values}, wanted {wanted[labels]}"
    return ""


def check_matrix(case: Eval, matrix: Matrix) -> str:
    """What is wrong with a vector or matrix; empty when nothing is."""
    if case.scalar is not None:
        return f"found a vector, wanted the scalar {case.scalar}"
    if case.wants("ordered") and matrix.labels != [labels for labels, _ in case.series]:
        return f"found the order {matrix.labels}"
    wanted = {
        labels: points for labels, points in case.series if any(p is not None for p in points)
    }
    rows = dict(zip(matrix.labels, range(len(matrix)), strict=True))
    if len(rows) != len(matrix) or rows.keys() != wanted.keys():
        values = matrix.values.tolist()
        return f"found {list(map(str, matrix.labels))} {values}, wanted {list(map(str, wanted))}"
    steps = len(case.grid.times)
    differences = (
        _check_row(labels, matrix, rows[labels], [*points, *[None] * (steps - len(points))])
        for labels, points in wanted.items()
    )
    return next(filter(None, differences), "")


def _check_row(labels: Labels, matrix: Matrix, row: int, wanted: Points) -> str:
    for step, want in enumerate(wanted):
        has, value = bool(matrix.present[row, step]), float(matrix.values[row, step])
        if has != (want is not None) or (want is not None and not close(value, want)):
            shown = np.where(matrix.present[row], matrix.values[row], np.nan).tolist()
            return f"{labels} at step {step}: found {shown}, wanted {wanted}"
    return ""


def close(found: float, wanted: float) -> bool:
    """Whether two values are the same but for rounding; NaN is NaN."""
    if math.isnan(found) or math.isnan(wanted):
        return math.isnan(found) and math.isnan(wanted)
    if found == wanted:
        return True
    return abs(found - wanted) <= TOLERANCE * (abs(found) + abs(wanted))
