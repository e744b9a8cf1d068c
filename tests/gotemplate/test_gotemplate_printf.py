import pytest

from pynomaly.gotemplate.numerals import format_float
from pynomaly.gotemplate.printf import sprintf
from pynomaly.gotemplate.types import Strings


@pytest.mark.parametrize(
    ("format", "values", "expected"),
    [
        ("%v %d %s %q %t", (1, 2, "a", "b", True), '1 2 a "b" true'),
        (
            "%5d|%-5d|%05d|%+d|% d|%x|%#x|%X|%o|%b",
            (1, 2, -3, 4, 5, 255, 255, 255, 8, 5),
            "    1|2    |-0003|+4| 5|ff|0xff|FF|10|101",
        ),
        (
            "%6.2f|%.0f|%e|%g|%.3g|%G",
            (3.14159, 2.5, 12345.678, 1e21, 12345.678, 1e-7),
            "  3.14|2|1.234568e+04|1e+21|1.23e+04|1E-07",
        ),
        ("%8.3f|%-8.1f|%08.3f|%+.1f", (3.14159,) * 4, "   3.142|3.1     |0003.142|+3.1"),
        ("%s|%10s|%-10s|%.2s|%x|% x", ("abc",) * 6, "abc|       abc|abc       |ab|616263|61 62 63"),
        ("%c %U %q", (0x1F600, 0x1F600, 97), "😀 U+1F600 'a'"),
        ("%T %T %T %T %T", (1, 1.0, "a", True, None), "int float64 string bool <nil>"),
        ("%[2]d %[1]d %*d", (1, 2, 5), "2 1  5"),
        (
            "%v %+v %q",
            ({"b": 1, "a": [None]}, [1.5], Strings(["x"])),
            'map[a:[<nil>] b:1] [1.5] ["x"]',
        ),
        ("100%%", (), "100%"),
        ("%d", ("x",), "%!d(string=x)"),
        ("%s", (3,), "%!s(int=3)"),
        ("%d", (None,), "%!d(<nil>)"),
        ("%d %s", (1,), "1 %!s(MISSING)"),
        ("x", (1, "b"), "x%!(EXTRA int=1, string=b)"),
        ("%", (), "%!(NOVERB)"),
        ("%z", (3,), "%!z(int=3)"),
        ("%[5]d", (1,), "%!d(BADINDEX)"),
        ("%d", ([1, "a"],), "[1 %!d(string=a)]"),
    ],
)
def test_printf_formats_as_go_does(format: str, values: tuple[object, ...], expected: str) -> None:
    assert sprintf(format, *values) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (1353755652.0, "1.353755652e+09"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_a_float_is_shown_in_its_shortest_form(value: float, expected: str) -> None:
    assert format_float(value) == expected
