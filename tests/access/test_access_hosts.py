"""Which names are ours, and which pages may act."""

import socket

import pytest

from pynomaly.access.hosts import Names, Origins


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8090",
        "localhost.:8090",
        "grafana.localhost:8080",
        "127.0.0.1:8090",
        "[::1]:8090",
        "192.0.2.4:8090",
        "mon.example.com",
        "a.b.wild.example",
        socket.gethostname(),
    ],
)
def test_our_names_and_addresses_are_accepted(host: str) -> None:
    assert Names("127.0.0.1", ["mon.example.com", "*.wild.example"]).accepts(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "xmon.example.com",
        "wild.example",
        "evil.example:8090",
        "user@evil.example",
        "[::1",
        "2130706433",
    ],
)
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    assert not Names("127.0.0.1", ["mon.example.com", "*.wild.example"]).accepts(host)


def origins() -> Origins:
    names = Names("127.0.0.1", ["mon.example.com"])
    return Origins(names, [8080, 8090], ["https://portal.example.com/"])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8080", "localhost:8080"),
        ("http://localhost:8080", "localhost:8090"),
        ("http://127.0.0.1:8080", "localhost:8090"),
        ("http://[::1]:8080", "[::1]:8090"),
        ("http://192.0.2.4:8080", "192.0.2.4:8090"),
        ("https://mon.example.com", "mon.example.com"),
        ("https://mon.example.com", "mon.example.com:443"),
        ("https://portal.example.com", "localhost:8090"),
    ],
)
def test_our_own_pages_may_act(origin: str, host: str) -> None:
    assert origins().accepts(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "localhost:8090"),
        ("", "localhost:8090"),
        ("http://evil.example", "localhost:8090"),
        ("http://evil.example:8080", "localhost:8090"),
        ("http://localhost:3000", "localhost:8090"),
        ("http://localhost", "localhost:8090"),
        ("http://6.6.6.6:8080", "localhost:8090"),
        ("file://", "localhost:8090"),
        ("http://portal.example.com", "localhost:8090"),
        ("http://localhost:99999", "localhost:8090"),
    ],
)
def test_a_page_of_elsewhere_may_not(origin: str, host: str) -> None:
    assert not origins().accepts(origin, host)
