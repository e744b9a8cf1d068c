"""The HTTP client of channels against servers that fail in every way, and its silence."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from channel_certificates import Certificates
from channel_server import HANG, START, Reply, Server, server

from pynomaly.alerting.channels.config import HttpConfig
from pynomaly.alerting.channels.http import HttpClient, Unreachable, judge
from pynomaly.alerting.channels.secrets import Secrets
from pynomaly.alerting.contract import Delivery, Outcome
from pynomaly.ingest.scrape.proxy import bypassed


async def send(url: str, config: dict[str, Any] | None = None, **options: Any) -> Delivery:
    client = HttpClient(HttpConfig.model_validate(config or {}))
    try:
        return judge(await client.post(url, b"{}", **{"timeout": 30.0, **options}), START)
    except Unreachable as error:
        return error.delivery()
    finally:
        await client.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_a_2xx_is_delivered(hook: Server, status: int) -> None:
    hook.replies = [Reply(status)]
    assert (await send(hook.url)).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.PERMANENT),
        (401, Outcome.PERMANENT),
        (404, Outcome.PERMANENT),
        (408, Outcome.RETRYABLE),
        (429, Outcome.RETRYABLE),
        (500, Outcome.RETRYABLE),
        (503, Outcome.RETRYABLE),
    ],
)
async def test_other_statuses_say_whether_trying_again_can_help(
    hook: Server, status: int, outcome: Outcome
) -> None:
    hook.replies = [Reply(status, "not\ntoday")]
    delivery = await send(hook.url)
    assert delivery.outcome is outcome
    assert delivery.reason.startswith(str(status)) and delivery.reason.endswith("not\ntoday")


async def test_the_answer_is_cut_short_in_the_reason(hook: Server) -> None:
    hook.replies = [Reply(500, "x" * 100_000)]
    assert len((await send(hook.url)).reason) < 300


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
async def test_retry_after_is_a_number_of_seconds_or_a_date(
    hook: Server, header: str, seconds: float
) -> None:
    hook.replies = [Reply(429, headers={"Retry-After": header})]
    assert (await send(hook.url)).retry_after == seconds


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a%2Fb?sp=%2Ftriggers%2Frun&sig=a%2Bb%3D", "/a%2Fb?sp=%2Ftriggers%2Frun&sig=a%2Bb%3D"),
        ("/with space?ä=1", "/with%20space?%C3%A4=1"),
    ],
)
async def test_an_address_is_called_to_the_letter(hook: Server, path: str, sent: str) -> None:
    assert (await send(hook.url + path)).outcome is Outcome.DELIVERED
    assert hook.requests[0].path == sent


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_that_keeps_the_method_is_followed(hook: Server, status: int) -> None:
    hook.replies = [Reply(status, headers={"Location": "/other"})]
    assert (await send(hook.url + "/first")).outcome is Outcome.DELIVERED
    assert [(r.method, r.path, r.body) for r in hook.requests] == [
        ("POST", "/first", b"{}"),
        ("POST", "/other", b"{}"),
    ]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_that_would_become_a_get_is_refused(hook: Server, status: int) -> None:
    hook.replies = [Reply(status, headers={"Location": "/other"})]
    delivery = await send(hook.url)
    assert delivery.outcome is Outcome.PERMANENT and "redirect" in delivery.reason
    assert len(hook.requests) == 1


async def test_no_redirect_is_followed_when_configured_so(hook: Server) -> None:
    hook.replies = [Reply(307, headers={"Location": "/other"})]
    delivery = await send(hook.url, {"follow_redirects": False})
    assert delivery.outcome is Outcome.PERMANENT and len(hook.requests) == 1


async def test_redirects_without_end_are_given_up(hook: Server) -> None:
    hook.replies = [Reply(307, headers={"Location": "/again"})] * 20
    delivery = await send(hook.url)
    assert delivery == Delivery(Outcome.RETRYABLE, "redirected more than 5 times")


async def test_credentials_do_not_follow_a_redirect_to_another_host(hook: Server) -> None:
    config = {"authorization": {"credentials": "s3cret-token"}}
    async with server() as other:
        hook.replies = [Reply(307, headers={"Location": other.url + "/x"})]
        await send(hook.url, config, proofs={"X-Key": "k3y"})
        assert hook.requests[0].headers["authorization"] == "Bearer s3cret-token"
        assert hook.requests[0].headers["x-key"] == "k3y"
        (moved,) = other.requests
        assert "authorization" not in moved.headers and "x-key" not in moved.headers


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ({"basic_auth": {"username": "u", "password": "p"}}, "authorization", "Basic dTpw"),
        ({"authorization": {"credentials": "t"}}, "authorization", "Bearer t"),
        ({"authorization": {"type": "Key", "credentials": "t"}}, "authorization", "Key t"),
        ({"bearer_token": "t"}, "authorization", "Bearer t"),
        ({"http_headers": {"X-A": {"values": ["1", "2"]}}}, "x-a", "1,2"),
        ({"http_headers": {"X-A": {"secrets": ["1"]}}}, "x-a", "1"),
    ],
)
async def test_http_config_says_what_is_sent(
    hook: Server, config: dict[str, Any], header: str, value: str
) -> None:
    await send(hook.url, config)
    assert hook.requests[0].headers[header] == value


async def test_a_proxy_gets_the_request_unless_the_host_is_exempt(hook: Server) -> None:
    config = {"proxy_url": hook.url, "no_proxy": "10.0.0.0/8"}
    assert (await send("http://hooks.example.com/x", config)).outcome is Outcome.DELIVERED
    assert hook.requests[0].path == "http://hooks.example.com/x"
    async with server() as direct:
        exempt = {"proxy_url": hook.url, "no_proxy": "127.0.0.1"}
        await send(direct.url, exempt)
        assert len(direct.requests) == 1


@pytest.mark.parametrize(
    ("url", "no_proxy", "exempt"),
    [
        ("http://a.example.com/", "example.com", True),
        ("http://a.example.com/", ".example.com", True),
        ("http://badexample.com/", "example.com", False),
        ("http://10.1.2.3/", "10.0.0.0/8", True),
        ("http://[::1]/", "::1", True),
        ("http://x/", "*", True),
        ("http://x/", "", False),
    ],
)
def test_no_proxy_names_hosts_and_networks(url: str, no_proxy: str, exempt: bool) -> None:
    assert bypassed(url, no_proxy) is exempt


SECRETS = ("T0SECRET", "B0SECRET", "tok3n", "us3r", "passw0rd", "k3yk3y")


def secret_url(base: str) -> str:
    scheme, host = base.split("://")
    return f"{scheme}://us3r:passw0rd@{host}/services/T0SECRET/B0SECRET?token=tok3n"


CONFIG = {"http_headers": {"X-Key": {"secrets": ["k3yk3y"]}}}
ECHO = "no /services/T0SECRET/B0SECRET?token=tok3n for us3r:passw0rd with k3yk3y"


def told_nothing(delivery: Delivery, caplog: pytest.LogCaptureFixture) -> None:
    everything = delivery.reason + caplog.text
    assert not [secret for secret in SECRETS if secret in everything], everything


@pytest.mark.parametrize("status", [404, 429, 500, 302, 307, 400])
async def test_no_answer_makes_a_secret_known(
    hook: Server, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"Location": "/services/T0SECRET/B0SECRET?token=tok3n"}
    hook.replies = [Reply(status, ECHO, headers)] * 10
    delivery = await send(secret_url(hook.url), CONFIG)
    assert delivery.outcome is not Outcome.DELIVERED and delivery.reason
    told_nothing(delivery, caplog)


async def test_a_server_that_hangs_makes_no_secret_known(
    hook: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.replies = [Reply(HANG)]
    delivery = await send(secret_url(hook.url), CONFIG, timeout=0.2)
    assert delivery == Delivery(Outcome.RETRYABLE, "no answer within 200ms")
    told_nothing(delivery, caplog)


async def test_a_refused_connection_makes_no_secret_known(
    free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery = await send(secret_url(f"http://127.0.0.1:{free_port()}"), CONFIG)
    assert delivery.outcome is Outcome.RETRYABLE and "cannot connect" in delivery.reason
    told_nothing(delivery, caplog)


async def test_a_connection_that_breaks_makes_no_secret_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        import threading

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        delivery = await send(secret_url(f"http://127.0.0.1:{port}"), CONFIG)
        thread.join()
    assert delivery.outcome is Outcome.RETRYABLE and "broke" in delivery.reason
    told_nothing(delivery, caplog)


async def test_an_address_that_is_none_makes_no_secret_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery = await send("http://[bad/services/T0SECRET", CONFIG)
    assert delivery.outcome is Outcome.PERMANENT
    told_nothing(delivery, caplog)


@pytest.mark.needs("openssl")
async def test_a_certificate_that_nobody_vouches_for_is_refused_without_a_secret(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with server(certificates.server()) as secure:
        delivery = await send(secret_url(secure.url), CONFIG)
        assert delivery.outcome is Outcome.RETRYABLE and delivery.reason.startswith("TLS: ")
        told_nothing(delivery, caplog)
        assert not secure.requests


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("how", ["ca_file", "insecure_skip_verify"])
async def test_tls_is_trusted_as_configured(certificates: Certificates, how: str) -> None:
    trust = {"ca_file": str(certificates.cert), "insecure_skip_verify": True}
    async with server(certificates.server()) as secure:
        delivery = await send(secure.url, {"tls_config": {how: trust[how]}})
        assert delivery.outcome is Outcome.DELIVERED


@pytest.mark.needs("openssl")
async def test_a_redirect_from_https_to_http_is_refused(
    certificates: Certificates, hook: Server
) -> None:
    async with server(certificates.server()) as secure:
        secure.replies = [Reply(307, headers={"Location": hook.url})]
        config = {"tls_config": {"ca_file": str(certificates.cert)}}
        delivery = await send(secure.url, config)
    assert delivery.outcome is Outcome.PERMANENT and not hook.requests


async def test_a_file_of_credentials_that_is_missing_is_named(hook: Server) -> None:
    delivery = await send(hook.url, {"authorization": {"credentials_file": "/nowhere/token"}})
    assert delivery.outcome is Outcome.RETRYABLE and "/nowhere/token" in delivery.reason


@pytest.mark.parametrize("said", ["at https://hooks.x/T12345/abcdef", "T12345", "x%2Fy z"])
def test_parts_of_an_address_are_hidden_however_they_are_written(said: str) -> None:
    secrets = Secrets().url("https://hooks.x/T12345/abcdef").text("x/y z")
    hidden = secrets.hide(said.replace("x%2Fy z", "x%2Fy%20z"))
    assert "T12345" not in hidden and "abcdef" not in hidden and "x%2Fy" not in hidden
