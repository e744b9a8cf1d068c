"""Who is local: a remote client behind a proxy on this machine must never be."""

from ipaddress import ip_network
from typing import Any

import pytest

from pynomaly.access.peer import find_client


def scope(client: str | None, version: str = "1.1", **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": version,
        "client": (client, 1234) if client is not None else None,
        "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()],
    }


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_plain_loopback_connection_is_local(address: str) -> None:
    assert find_client(scope(address, host="localhost", user_agent="x"), []).local


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1"])
def test_any_other_address_is_not(address: str) -> None:
    client = find_client(scope(address), [])
    assert not client.local
    assert client.address == address.removeprefix("::ffff:")


@pytest.mark.parametrize("address", [None, "", "testclient"])
def test_a_connection_without_an_address_is_not(address: str | None) -> None:
    assert not find_client(scope(address), []).local


@pytest.mark.parametrize(
    "header",
    [
        "forwarded",
        "x_forwarded_for",
        "via",
        "x_real_ip",
        "x_forwarded_host",
        "x_forwarded_proto",
        "cf_connecting_ip",
        "true_client_ip",
    ],
)
def test_any_trace_of_a_proxy_makes_a_loopback_connection_remote(header: str) -> None:
    client = find_client(scope("127.0.0.1", **{header: "127.0.0.1"}), [])
    assert not client.local
    assert header.replace("_", "-") in client.reason


def test_http_1_0_is_how_nginx_forwards_without_a_trace() -> None:
    assert not find_client(scope("127.0.0.1", version="1.0"), []).local


LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1")]


def test_a_trusted_proxy_says_who_the_client_is() -> None:
    client = find_client(scope("127.0.0.1", x_forwarded_for="203.0.113.9"), LOOPBACK)
    assert (client.address, client.local) == ("203.0.113.9", False)


def test_a_client_of_this_machine_through_a_trusted_proxy_is_local() -> None:
    assert find_client(scope("127.0.0.1", x_forwarded_for="127.0.0.1"), LOOPBACK).local


@pytest.mark.parametrize(
    "chain",
    [
        "127.0.0.1, 203.0.113.9",
        "127.0.0.1,203.0.113.9, 127.0.0.1",
        "::1, [2001:db8::1]:443, 127.0.0.1",
        "203.0.113.9, 127.0.0.1",
        "localhost, 127.0.0.1",
        "127.0.0.1, evil",
        "",
        ",",
    ],
)
def test_what_a_remote_client_puts_before_the_proxy_does_not_make_it_local(chain: str) -> None:
    assert not find_client(scope("127.0.0.1", x_forwarded_for=chain), LOOPBACK).local


def test_the_address_is_the_one_that_the_nearest_trusted_proxy_saw() -> None:
    chain = "6.6.6.6, 203.0.113.9, 10.0.0.2"
    trusted = [*LOOPBACK, ip_network("10.0.0.0/8")]
    assert find_client(scope("127.0.0.1", x_forwarded_for=chain), trusted).address == "203.0.113.9"


def test_a_header_of_an_untrusted_peer_counts_for_nothing() -> None:
    client = find_client(scope("192.0.2.1", x_forwarded_for="127.0.0.1"), LOOPBACK)
    assert (client.address, client.local) == ("192.0.2.1", False)


def test_loopback_of_another_machine_is_not_local() -> None:
    trusted = [ip_network("10.0.0.2")]
    assert not find_client(scope("10.0.0.2", x_forwarded_for="127.0.0.1"), trusted).local


def test_a_trusted_loopback_proxy_must_name_the_client() -> None:
    client = find_client(scope("127.0.0.1"), LOOPBACK)
    assert not client.local
    assert "did not send X-Forwarded-For" in client.reason


def test_other_forwarding_headers_of_a_trusted_proxy_are_not_enough() -> None:
    assert not find_client(scope("127.0.0.1", forwarded="for=127.0.0.1"), LOOPBACK).local
