"""Random PromQL that is valid, and whose results do not hang on the last bit of a float.

There are two kinds of vectors. An *exact* one holds small multiples of 1/1024 whatever the order of
computation, so that it may be compared, rounded and counted. A *smooth* one (rates, averages,
regressions) is only nearly the same in two engines, so that nothing that jumps is applied to it,
and nothing that cancels before a division.

All windows end in whole seconds, and those of subqueries in 5 s against steps of 10 s: the edge of
a window is never on the grid (see ``differential_data``).
"""

from collections.abc import Callable
from typing import TypeVar

from differential_data import MINUTE, START
from hypothesis import strategies as st

Pick = TypeVar("Pick")
Rule = Callable[[int], str]

_METRICS = (
    "requests_total",
    'requests_total{code="200"}',
    'requests_total{instance=~"a.*|c.*"}',
    'requests_total{method!="GET"}',
    "temperature",
    'temperature{floor="1"}',
    'temperature{room!~"hall|attic"}',
    "life_total",
    'life_total{life=~"late|gaps|flapping"}',
    "up",
    "capacity",
    "build_info",
    'latency_seconds_bucket{job="api"}',
    "odd",
    "left",
    "right",
    "nosuch",
)
_TIED_NOWHERE = ("requests_total", "temperature", 'requests_total{code="500"}')
_LABELS = ("instance", "code", "method", "job", "floor", "room", "x", "y", "version", "life", "le")
_RANGES = ("20s", "1m", "95s", "5m", "13m", "1h")
_SUBQUERIES = ("95s:10s", "5m5s:30s", "12m45s:1m", "20m5s:2m", "6m5s:")
_NUMBERS = ("0", "1", "2", "-1", "0.5", "8", "1000")
_ROUGH_NUMBERS = ("0.3217", "-17.013", "3", "1e3", "100007.77")
_MOMENTS = (START + 1207, START + 3607, START + 130 * MINUTE + 7)


class Grammar:
    """Draws one expression; ``depth`` says how much may be wrapped around a selector."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Pick]], Pick]) -> None:
        self._draw = draw

    def one_of(self, options: tuple[Pick, ...]) -> Pick:
        return self._draw(st.sampled_from(options))  # type: ignore[arg-type, return-value]

    def expression(self, depth: int) -> str:
        return self._any(
            depth,
            self.exact,
            self.smooth,
            self._smooth_compared,
            self._top,
            self._count_values,
            self._scalar_expression,
        )

    def _any(self, depth: int, *rules: Rule) -> str:
        return self.one_of(rules)(depth)

    # Parts

    def _labels(self) -> str:
        return ", ".join(self._draw(st.lists(st.sampled_from(_LABELS), max_size=3, unique=True)))

    def _shift(self) -> str:
        offset = self.one_of(("", "", "", " offset 10m", " offset -3m", " offset 70s"))
        moments = tuple(f" @ {moment}" for moment in _MOMENTS)
        return offset + self.one_of(("", "", "", "", " @ start()", " @ end()", *moments))

    def _selector(self, _: int = 0) -> str:
        return self.one_of(_METRICS) + self._shift()

    def _window(self) -> str:
        return f"{self.one_of(_METRICS)}[{self.one_of(_RANGES)}]{self._shift()}"

    def _subquery(self, inner: str) -> str:
        # An @ within an @ is in DIFFERENT, too.
        shift = self._shift().partition(" @")[0] if "@" in inner else self._shift()
        return f"({inner})[{self.one_of(_SUBQUERIES)}]{shift}"

    def _grouped(self, operator: str, inner: str, parameter: str = "") -> str:
        how = self.one_of(("", f" by ({self._labels()})", f" without ({self._labels()})"))
        return f"{operator}{how}({parameter}{inner})"

    def _scalar(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(_NUMBERS)
        inner = self.exact(depth - 1)
        return self.one_of((*_NUMBERS, "time()", f"scalar({inner})", f"scalar(max({inner}))"))

    def _scalar_expression(self, depth: int) -> str:
        operator = self.one_of(("+", "-", "*", "/", "%", "> bool", "== bool"))
        return f"{self._scalar(depth - 1)} {operator} {self._scalar(depth - 1)}"

    # Exact vectors

    def exact(self, depth: int) -> str:
        if depth <= 0:
            return self._selector()
        return self._any(
            depth,
            self._selector,
            self._exact_over_time,
            self._exact_subquery,
            self._exact_aggregation,
            self._exact_function,
            self._exact_with_number,
            self._exact_binary,
            self._exact_comparison,
            self._set_operation,
            self._relabelled,
            self._absent,
        )

    def _exact_over_time(self, _: int) -> str:
        return f"{self.one_of(_EXACT_OVER_TIME)}({self._window()})"

    def _exact_subquery(self, depth: int) -> str:
        return f"{self.one_of(_EXACT_OVER_TIME)}({self._subquery(self.exact(depth - 1))})"

    def _exact_aggregation(self, depth: int) -> str:
        operator = self.one_of(("sum", "min", "max", "count", "group"))
        return self._grouped(operator, self.exact(depth - 1))

    def _exact_function(self, depth: int) -> str:
        inner = self.exact(depth - 1)
        return self.one_of(
            (
                f"abs({inner})",
                f"ceil({inner})",
                f"floor({inner})",
                f"round({inner})",
                f"round({inner}, 4)",
                f"sgn({inner})",
                f"sort({inner})",
                f"-({inner})",
                f"clamp({inner}, {self._scalar(0)}, {self._scalar(0)})",
                f"clamp_min({inner}, {self._scalar(depth - 1)})",
                f"clamp_max({inner}, {self._scalar(depth - 1)})",
                f"vector({self._scalar(depth - 1)})",
            )
        )

    def _exact_with_number(self, depth: int) -> str:
        inner, number = self.exact(depth - 1), self.one_of(_NUMBERS)
        operator = self.one_of(("+", "-", "*"))
        return self.one_of((f"({inner} {operator} {number})", f"({number} {operator} {inner})"))

    def _matching(self, *, groups: bool = True) -> str:
        labels = self._labels()
        how = self.one_of(("", f"on({labels})", f"ignoring({labels})"))
        if not how or not groups:
            return how
        group = self.one_of(("", "group_left", "group_right"))
        taken = self.one_of(tuple(t for t in ("", "version", "y") if t not in labels or not t))
        return f"{how} {group}({taken})" if group else how

    def _exact_binary(self, depth: int) -> str:
        lhs, rhs = self.exact(depth - 1), self.exact(depth - 1)
        return f"({lhs} {self.one_of(('+', '-'))} {self._matching()} {rhs})"

    def _exact_comparison(self, depth: int) -> str:
        lhs, rhs = self.exact(depth - 1), self.exact(depth - 1)
        operator = self.one_of(("==", "!=", "<", "<=", ">", ">="))
        number = self.one_of(_NUMBERS)
        return self.one_of(
            (
                f"({lhs} {operator} {number})",
                f"({number} {operator} bool {lhs})",
                f"({lhs} {operator} {rhs})",
                f"({lhs} {operator} bool {self._matching()} {rhs})",
            )
        )

    def _set_operation(self, depth: int) -> str:
        operator = self.one_of(("and", "or", "unless"))
        matching = self._matching(groups=False)
        return f"({self.exact(depth - 1)} {operator} {matching} {self.exact(depth - 1)})"

    def _relabelled(self, depth: int) -> str:
        inner = self.exact(depth - 1)
        source, target = self.one_of(_LABELS), self.one_of((*_LABELS, "__name__", "fresh"))
        return self.one_of(
            (
                f'label_replace({inner}, "{target}", "$1", "{source}", "(.).*")',
                f'label_replace({inner}, "{target}", "x$1", "{source}", "([a-z]*).?(.*)")',
                f'label_join({inner}, "{target}", "-", "{source}", "{self.one_of(_LABELS)}")',
            )
        )

    def _absent(self, depth: int) -> str:
        window = self._window()
        return self.one_of((f"absent({self.exact(depth - 1)})", f"absent_over_time({window})"))

    # Smooth vectors

    def smooth(self, depth: int) -> str:
        if depth <= 0:
            return self._smooth_window(0)
        return self._any(
            depth,
            self._smooth_window,
            self._smooth_of_exact,
            self._smooth_aggregation,
            self._smooth_with_number,
            self._smooth_with_exact,
            self._smooth_subquery,
            self._quantile_of_buckets,
        )

    def _smooth_window(self, _: int) -> str:
        window = self._window()
        unfixed = f"{self.one_of(_METRICS)}[{self.one_of(_RANGES)}]"  # see DIFFERENT
        return self.one_of(
            (
                f"{self.one_of(_SMOOTH_OVER_TIME)}({window})",
                f"{self.one_of(('rate', 'increase', 'irate'))}({window})",
                f"quantile_over_time({self.one_of(_QUANTILES)}, {window})",
                f"predict_linear({unfixed}, {self.one_of(('0', '600', '-60'))})",
            )
        )

    def _smooth_of_exact(self, depth: int) -> str:
        inner = self.exact(depth - 1)
        quantile = self.one_of(_QUANTILES)
        return self.one_of(
            (
                self._grouped("avg", inner),
                self._grouped("stddev", self.one_of(_TIED_NOWHERE)),
                self._grouped("stdvar", self.one_of(_TIED_NOWHERE)),
                self._grouped("quantile", inner, f"{quantile}, "),
                f"sqrt({inner})",
                f"ln({inner})",
                f"atan({inner})",
                f"({inner} / {self._matching()} {self.exact(depth - 1)})",
                f"{self.one_of(_SMOOTH_OVER_TIME)}({self._subquery(self._selector())})",
            )
        )

    def _smooth_aggregation(self, depth: int) -> str:
        inner = self.smooth(depth - 1)
        operator = self.one_of(("sum", "avg", "min", "max", "count"))
        return self._grouped(operator, inner)

    def _smooth_with_number(self, depth: int) -> str:
        operator = self.one_of(("+", "*", "/"))
        return f"({self.smooth(depth - 1)} {operator} {self.one_of(_NUMBERS)})"

    def _smooth_with_exact(self, depth: int) -> str:
        operator = self.one_of(("+", "/", "and", "unless"))
        matching = self._matching(groups=operator in "+/")
        return f"({self.smooth(depth - 1)} {operator} {matching} {self.exact(depth - 1)})"

    def _smooth_subquery(self, depth: int) -> str:
        function = self.one_of(
            ("max_over_time", "min_over_time", "avg_over_time", "sum_over_time", "count_over_time")
        )
        return f"{function}({self._subquery(self.smooth(depth - 1))})"

    def _quantile_of_buckets(self, _: int) -> str:
        metric = self.one_of(("latency_seconds_bucket", "falling_bucket"))
        buckets = self.one_of((metric, f"rate({metric}[5m])", f"increase({metric}[13m])"))
        labels = self.one_of(("", " by (le)", " by (le, job)", " without (instance)"))
        buckets = f"sum{labels}({buckets})" if labels else buckets
        return f"histogram_quantile({self.one_of(_QUANTILES)}, {buckets})"

    # Only at the top

    def _smooth_compared(self, depth: int) -> str:
        operator = self.one_of((">", "<", ">= bool", "- 0 !="))
        return f"{self.smooth(depth - 1)} {operator} {self.one_of(_ROUGH_NUMBERS)}"

    def _top(self, _: int) -> str:
        operator, most = self.one_of(("topk", "bottomk")), self.one_of(("1", "2", "5", "0"))
        return self._grouped(operator, self.one_of(_TIED_NOWHERE) + self._shift(), f"{most}, ")

    def _count_values(self, depth: int) -> str:
        # The label sorts after every other; see DIFFERENT for those that do not.
        inner = f"{self.exact(depth - 1)} + 0"  # which of two zeros a minimum is, is left open
        return self._grouped("count_values", inner, '"zahl", ')


_EXACT_OVER_TIME = (
    *("min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time"),
    *("present_over_time", "changes", "resets", "idelta"),
)
_SMOOTH_OVER_TIME = ("avg_over_time", "stddev_over_time", "delta", "deriv", "rate", "increase")
_QUANTILES = ("0", "0.1", "0.5", "0.95", "1", "-1", "2")


@st.composite
def expressions(draw: Callable[[st.SearchStrategy[Pick]], Pick], depth: int = 3) -> str:
    """A valid expression; some are refused when evaluated, for what their series are."""
    return Grammar(draw).expression(depth)
