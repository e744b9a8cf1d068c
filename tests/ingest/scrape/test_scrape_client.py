"""Credentials, TLS and redirects, against real servers."""

import ssl
import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from tests.ingest.scrape.rig import Answer, exposer, job, rig


def only_with(header: str, value: str) -> Answer:
    def answer(request: web.Request) -> web.Response:
        if request.headers.get(header) != value:
            return web.Response(status=401)
        return web.Response(text="a 1\n")

    return answer


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ("basic_auth: {username: me, password: s3cret}", "Authorization", "basic"),
        ("basic_auth: {username: me, password_file: secret}", "Authorization", "basic"),
        ("authorization: {credentials: s3cret}", "Authorization", "Bearer s3cret"),
        ("authorization: {credentials_file: secret}", "Authorization", "Bearer s3cret"),
        ("authorization: {type: Token, credentials: s3cret}", "Authorization", "Token s3cret"),
        ("bearer_token: s3cret", "Authorization", "Bearer s3cret"),
        ("bearer_token_file: secret", "Authorization", "Bearer s3cret"),
        ("http_headers: {X-Tenant: {values: [one]}}", "X-Tenant", "one"),
        ("http_headers: {X-Tenant: {files: [secret]}}", "X-Tenant", "s3cret"),
    ],
)
async def test_credentials_are_sent(tmp_path: Path, config: str, header: str, value: str) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    wanted = "Basic bWU6czNjcmV0" if value == "basic" else value
    async with exposer() as target, rig() as scraping:
        target.answer = only_with(header, wanted)
        await scraping.apply(job(target.address, config), str(tmp_path / "prometheus.yml"))
        await scraping.tick()
        assert scraping.manager.targets()[0].last_error == ""


async def test_a_file_of_credentials_is_read_anew(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    async with exposer() as target, rig() as scraping:
        target.answer = only_with("Authorization", "Bearer new")
        config = job(target.address, "authorization: {credentials_file: secret}")
        await scraping.apply(config, str(tmp_path / "prometheus.yml"))
        await scraping.tick()
        assert "401" in scraping.manager.targets()[0].last_error
        secret.write_text("new")
        await scraping.tick()
        assert scraping.manager.targets()[0].health == "up"
        secret.unlink()
        await scraping.tick()
        assert "No such file" in scraping.manager.targets()[0].last_error


@pytest.mark.parametrize(("follow", "health"), [("true", "up"), ("false", "down")])
async def test_redirects_are_followed_unless_told_otherwise(follow: str, health: str) -> None:
    def moved(request: web.Request) -> web.Response:
        if request.path == "/metrics":
            raise web.HTTPFound("/there")
        return web.Response(text="a 1\n")

    async with (
        exposer() as target,
        rig(job(target.address, f"follow_redirects: {follow}")) as scraping,
    ):
        target.answer = moved
        await scraping.tick()
        assert scraping.manager.targets()[0].health == health


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of the name ``target.test``; its folder."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=target.test",
            "-addext", "subjectAltName=DNS:target.test",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder


def server_context(folder: Path, *, verify: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if verify:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "cert.pem")
    return context


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("tls", "health"),
    [
        ("{}", "down"),
        ("{insecure_skip_verify: true}", "up"),
        ("{ca_file: cert.pem}", "down"),  # trusted, but of another name
        ("{ca_file: cert.pem, server_name: target.test}", "up"),
        ("{ca_file: nowhere.pem}", "down"),
    ],
)
async def test_certificates_are_verified_as_configured(
    certificate: Path, tls: str, health: str
) -> None:
    async with exposer(ssl=server_context(certificate)) as target, rig() as scraping:
        config = job(target.address, f"scheme: https\ntls_config: {tls}")
        await scraping.apply(config, str(certificate / "prometheus.yml"))
        await scraping.tick()
        [status] = scraping.manager.targets()
        assert status.health == health, status.last_error
        assert bool(status.last_error) == (health == "down")


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("mine", "health"), [("", "down"), (", cert_file: cert.pem, key_file: key.pem", "up")]
)
async def test_a_client_certificate_is_shown(certificate: Path, mine: str, health: str) -> None:
    context = server_context(certificate, verify=True)
    async with exposer(ssl=context) as target, rig() as scraping:
        tls = f"{{insecure_skip_verify: true{mine}}}"
        config = job(target.address, f"scheme: https\ntls_config: {tls}")
        await scraping.apply(config, str(certificate / "prometheus.yml"))
        await scraping.tick()
        assert scraping.manager.targets()[0].health == health
