from collections.abc import AsyncIterator

import pytest
from channel_certificates import Certificates, make_certificates
from channel_server import Server, server


@pytest.fixture
async def hook() -> AsyncIterator[Server]:
    async with server() as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for 127.0.0.1 and localhost; a test that takes it needs openssl."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
