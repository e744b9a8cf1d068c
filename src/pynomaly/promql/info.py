"""``info``: series get the labels of the info metrics of their target (Prometheus's info.go)."""

from typing import TYPE_CHECKING

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql import leaves, nodes
from pynomaly.promql.contract import Matrix, QueryError
from pynomaly.promql.matrices import merged, stacked, without_empty
from pynomaly.promql.nodes import At, Node
from pynomaly.promql.state import Grid

if TYPE_CHECKING:
    from pynomaly.promql.evaluator import Evaluator

_IDENTIFYING = ("instance", "job")
_POSITIVE = (MatchOp.EQUAL, MatchOp.REGEX)
_TARGET_INFO = Matcher(METRIC_NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO = Matcher(METRIC_NAME, MatchOp.REGEX, ".+_info")

Key = tuple[str, Labels]
"""An info metric's name, and the identifying labels of a target."""


def enriched(evaluator: "Evaluator", node: nodes.Call, grid: Grid) -> Matrix:
    """Evaluate ``info(v, selector)``.

    Raises:
        QueryError: two info series of a target say different things at the same time.
    """
    base = evaluator.matrix(node.args[0], grid)
    selector = node.args[1] if len(node.args) > 1 else nodes.VectorSelector((_TARGET_INFO,))
    assert isinstance(selector, nodes.VectorSelector), "the parser has checked types"
    names = _name_matchers([m for m in selector.matchers if m.name == METRIC_NAME])
    data = [m for m in selector.matchers if m.name != METRIC_NAME]
    ignored = [all(m.matches(labels.name) for m in names) for labels in base.labels]
    found = _info_series(evaluator, node.args[0], base, ignored, (*names, *data), grid)
    newest = _newest_by_target(found)
    wanted = frozenset(m.name for m in data)
    required = not all(m.matches("") for m in data)
    parts = []
    for row, labels in enumerate(base.labels):
        one = Matrix([labels], grid.times, base.values[row : row + 1], base.present[row : row + 1])
        parts += [one] if ignored[row] else _combined(one, newest, found, wanted, required)
    pieces = [(m.labels, m.values, m.present) for m in parts]
    return without_empty(merged(stacked(pieces, grid.times)))


def _name_matchers(given: list[Matcher]) -> tuple[Matcher, ...]:
    if any(m.op in _POSITIVE for m in given):
        return tuple(given)
    return (_ANY_INFO, *given) if given else (_TARGET_INFO,)


def _info_series(
    evaluator: "Evaluator",
    of: Node,
    base: Matrix,
    ignored: list[bool],
    matchers: tuple[Matcher, ...],
    grid: Grid,
) -> Matrix:
    """The times (seconds) of the info samples of the targets that ``base`` has, at each step."""
    targets = [labels for labels, skip in zip(base.labels, ignored, strict=True) if not skip]
    identifying = []
    for name in _IDENTIFYING:
        values = sorted({labels[name] for labels in targets if name in labels})
        if values:
            identifying.append(Matcher(name, MatchOp.REGEX, "|".join(map(_escaped, values))))
    if not identifying:
        return Matrix.empty(grid.times)
    offset, at = _reference(of)
    selector = nodes.VectorSelector((*identifying, *matchers), offset, at)
    return leaves.instant(evaluator.state, selector, grid, timestamps=True)


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c == "_" or ord(c) > 127 else f"\\{c}" for c in text)


def _reference(root: Node) -> tuple[int, At | None]:
    """``offset`` and ``@`` of the first selector, with those of the subqueries around it."""
    path: list[Node] = []

    def find(node: Node) -> bool:
        path.append(node)
        if isinstance(node, nodes.VectorSelector) or any(map(find, nodes.children(node))):
            return True
        path.pop()
        return False

    if not find(root):
        return 0, None
    selector = path[-1]
    assert isinstance(selector, nodes.VectorSelector), "the search ends there"
    offset, at = selector.offset_ms, selector.at
    for node in reversed(path):
        if at is None and isinstance(node, nodes.Subquery):
            offset, at = offset + node.offset_ms, node.at
    return offset, at


def _key(labels: Labels) -> Key:
    return labels.name, labels.keep(_IDENTIFYING)


def _newest_by_target(found: Matrix) -> dict[Key, tuple[list[int], BoolArray]]:
    """For each info metric and target: its series, and at which steps each is the newest."""
    rows: dict[Key, list[int]] = {}
    for row, labels in enumerate(found.labels):
        rows.setdefault(_key(labels), []).append(row)
    newest: dict[Key, tuple[list[int], BoolArray]] = {}
    for key, members in rows.items():
        times = np.where(found.present[members], found.values[members], -np.inf)
        chosen = found.present[members] & (times == times.max(axis=0))
        if (chosen.sum(axis=0) > 1).any():
            raise QueryError(_conflict(found, members, times, chosen))
        newest[key] = (members, chosen)
    return newest


def _conflict(found: Matrix, members: list[int], times: ValueArray, chosen: BoolArray) -> str:
    step = int(np.flatnonzero(chosen.sum(axis=0) > 1)[0])
    rows = np.flatnonzero(chosen[:, step])[:2]
    said = [f"{found.labels[members[r]]} @ {round(times[r, step] * 1000)}" for r in rows]
    return f"found duplicate series for info metric: existing {said[0]}, new {said[1]}"


def _combined(
    one: Matrix,
    newest: dict[Key, tuple[list[int], BoolArray]],
    found: Matrix,
    wanted: frozenset[str],
    required: bool,
) -> list[Matrix]:
    """A series under the names that it has at different steps."""
    labels = one.labels[0]
    names = sorted({name for name, target in newest if target == labels.keep(_IDENTIFYING)})
    choices = [(one.present[0], Labels(), False)]
    for name in names:
        members, chosen = newest[name, labels.keep(_IDENTIFYING)]
        choices = [
            split
            for steps, added, matched in choices
            for split in _split(steps, added, matched, members, chosen, found, wanted)
        ]
    return [
        Matrix([Labels({**added, **labels})], one.timestamps, one.values, steps.reshape(1, -1))
        for steps, added, matched in choices
        if matched or not required
    ]


def _split(
    steps: BoolArray,
    added: Labels,
    matched: bool,
    members: list[int],
    chosen: BoolArray,
    found: Matrix,
    wanted: frozenset[str],
) -> list[tuple[BoolArray, Labels, bool]]:
    """Divide steps by which of the series of an info metric holds at them."""
    parts = [(steps & ~chosen.any(axis=0), added, matched)]
    for row, when in zip(members, chosen, strict=True):
        here = steps & when
        if here.any():
            parts.append((here, _merge(added, found.labels[row], wanted), True))
    return [part for part in parts if part[0].any()]


def _merge(added: Labels, info: Labels, wanted: frozenset[str]) -> Labels:
    result = dict(added)
    for name, value in info.items():
        if name == METRIC_NAME or (wanted and name not in wanted):
            continue
        if result.setdefault(name, value) != value:
            raise QueryError(f"conflicting label: {name}")
    return Labels(result)
