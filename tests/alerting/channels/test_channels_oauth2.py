"""OAuth 2.0: tokens of a local server, kept, renewed and told to nobody."""

from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from channel_certificates import Certificates
from channel_server import Reply, Server, server

from pynomaly.alerting.channels.config import HttpConfig
from pynomaly.alerting.channels.http import HttpClient, Unreachable
from pynomaly.ingest.scrape.client_config import OAuth2
from pynomaly.ingest.scrape.oauth2 import TokenRefused, Tokens


def oauth2(tokens: Server, **fields: Any) -> dict[str, Any]:
    section = {"client_id": "me", "client_secret": "s3cr3t", "token_url": f"{tokens.url}/token"}
    return {"oauth2": {**section, **fields}}


def client(tokens: Server, **fields: Any) -> HttpClient:
    return HttpClient(HttpConfig.model_validate(oauth2(tokens, **fields)))


def token(text: str, **fields: Any) -> Reply:
    return Reply(body={"access_token": text, "token_type": "bearer", "expires_in": 3600, **fields})


def form(tokens: Server, which: int = 0) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(tokens.requests[which].body.decode()).items()
    }


async def test_a_token_is_fetched_once_and_sent_with_every_request(hook: Server) -> None:
    async with server() as tokens:
        tokens.replies = [token("abc")]
        http = client(tokens, scopes=["a", "b"], endpoint_params={"tenant": "t"}, audience="us")
        for _ in range(3):
            assert (await http.post(f"{hook.url}/hook", b"{}")).ok
        await http.close()
    assert [r.headers["authorization"] for r in hook.requests] == ["Bearer abc"] * 3
    (asked,) = tokens.requests
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"me:s3cr3t"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form(tokens) == {
        "grant_type": "client_credentials", "scope": "a b", "tenant": "t", "audience": "us",
    }  # fmt: skip


async def test_a_token_is_fetched_anew_shortly_before_it_expires(hook: Server) -> None:
    now = 0.0
    async with server() as running:
        running.replies = [token("one", expires_in=60), token("two", expires_in=60)]
        section = OAuth2.model_validate(oauth2(running)["oauth2"])
        tokens = Tokens(section, lambda: now)
        assert await tokens.authorization() == "Bearer one"
        now = 49.0
        assert await tokens.authorization() == "Bearer one"
        now = 51.0
        assert await tokens.authorization() == "Bearer two"


async def test_a_token_that_is_not_taken_is_replaced_at_once(hook: Server) -> None:
    async with server() as tokens:
        tokens.replies = [token("old"), token("new")]
        http = client(tokens)
        hook.replies = [Reply(401), Reply(200), Reply(401), Reply(401)]
        assert (await http.post(hook.url, b"{}")).status == 200
        assert [r.headers["authorization"] for r in hook.requests] == ["Bearer old", "Bearer new"]
        tokens.replies = [token("newer")]
        assert (await http.post(hook.url, b"{}")).status == 401  # and no third time
        assert len(hook.requests) == 4
        await http.close()


async def test_a_server_that_wants_the_secret_in_the_body_gets_it_there(hook: Server) -> None:
    async with server() as tokens:
        tokens.replies = [Reply(401), token("abc"), token("def", expires_in=1)]
        http = client(tokens)
        assert (await http.post(hook.url, b"{}")).ok
        assert form(tokens, 1)["client_secret"] == "s3cr3t"
        assert "authorization" not in tokens.requests[1].headers
        hook.replies = [Reply(401), Reply(200)]
        assert (await http.post(hook.url, b"{}")).ok
        assert len(tokens.requests) == 3  # it is known by now what it wants
        await http.close()


async def test_the_secret_of_a_file_is_the_one_that_stands_there_now(
    hook: Server, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    async with server() as tokens:
        tokens.replies = [token("a", expires_in=1), token("b", expires_in=1)]
        http = client(tokens, client_secret="", client_secret_file=str(secret))
        await http.post(hook.url, b"{}")
        secret.write_text("second\n")
        await http.post(hook.url, b"{}")
        await http.close()
    proofs = [b64decode(r.headers["authorization"].removeprefix("Basic ")) for r in tokens.requests]
    assert proofs == [b"me:first", b"me:second"]


async def test_why_there_is_no_token_is_said_without_the_secret(hook: Server) -> None:
    async with server() as tokens:
        error = {"error": "invalid_client", "error_description": "s3cr3t is wrong"}
        tokens.replies = [Reply(400, error), Reply(400, error)]
        http = client(tokens)
        with pytest.raises(Unreachable, match=r"answered 400: invalid_client: <secret> is wrong"):
            await http.post(hook.url, b"{}")
        await http.close()
    assert hook.requests == []


async def test_a_server_of_tokens_that_is_away_can_be_tried_again(hook: Server) -> None:
    section = {"client_id": "me", "token_url": "http://127.0.0.1:1/"}
    http = HttpClient(HttpConfig.model_validate({"oauth2": section}))
    with pytest.raises(Unreachable, match="oauth2: no token") as caught:
        await http.post(hook.url, b"{}")
    assert not caught.value.permanent
    await http.close()


@pytest.mark.needs("openssl")
async def test_tokens_come_by_tls_of_their_own(certificates: Certificates, hook: Server) -> None:
    async with server(certificates.server()) as tokens:
        tokens.replies = [token("abc")]
        trusted = client(tokens, tls_config={"ca_file": str(certificates.cert)})
        assert (await trusted.post(hook.url, b"{}")).ok
        await trusted.close()
        unknown = Tokens(OAuth2.model_validate(oauth2(tokens)["oauth2"]))
        with pytest.raises(TokenRefused, match="Certificate"):
            await unknown.authorization()


async def test_tokens_come_through_a_proxy_of_their_own(hook: Server) -> None:
    async with server() as proxy:
        proxy.replies = [token("abc")]
        http = client(proxy, token_url="http://tokens.invalid/t", proxy_url=proxy.url)
        assert (await http.post(hook.url, b"{}")).ok
        await http.close()
    assert proxy.requests[0].headers["host"] == "tokens.invalid"
    assert hook.requests[0].headers["authorization"] == "Bearer abc"


async def test_a_redirect_elsewhere_is_not_shown_the_token(hook: Server) -> None:
    async with server() as tokens, server() as other:
        tokens.replies = [token("abc")]
        hook.replies = [Reply(307, headers={"Location": f"{other.url}/x"})]
        http = client(tokens)
        await http.post(hook.url, b"{}")
        await http.close()
    assert "authorization" not in other.requests[0].headers
