"""Who we are to Amazon, by its own rules: keys, profiles, roles, the machine's identity.

botocore finds the credentials and signs; it is an extra, since it is large.
"""

import contextlib
import importlib
import importlib.util
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynomaly.alerting.channels.errors import UnusableChannel
from pynomaly.alerting.channels.sns.config import SigV4

SERVICE = "sns"
FORM = "application/x-www-form-urlencoded; charset=utf-8"

_SESSION_NAME = "pynomaly"
_EARLY = 300.0
"""Seconds before its end that what a role was given is not used any more."""


class NoCredentials(Exception):
    """Requests cannot be signed. ``str()`` is for people and holds no secret."""


def require_botocore() -> None:
    """Raise UnusableChannel unless botocore is installed."""
    if importlib.util.find_spec("botocore") is None:
        raise UnusableChannel(
            "sns_configs need the package botocore, which is not installed.",
            hint="Install it: pip install 'pynomaly-monitoring[aws]'.",
        )


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What botocore says is wrong, without its types."""
    errors = importlib.import_module("botocore.exceptions")
    try:
        yield
    except errors.BotoCoreError as error:
        raise NoCredentials(f"Amazon's credentials cannot be used: {error}") from None
    except errors.ClientError as error:
        said = error.response.get("Error", {})
        reason = f"{said.get('Code', '')}: {said.get('Message', '')}"
        raise NoCredentials(f"Amazon gives no credentials: {reason}") from None


class Signer:
    """Signs requests to SNS. It reads files and may ask servers: call it in worker threads."""

    def __init__(self, config: SigV4) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._session: Any = None
        self._endpoint = ""
        self._of_role: Any = None
        self._good_until = 0.0

    def endpoint(self) -> str:
        """Where SNS is in the region.

        Raises:
            NoCredentials: there are no credentials, or no region.
        """
        with self._lock, _told():
            if not self._endpoint:
                self._endpoint = str(self._client(SERVICE, self._own()).meta.endpoint_url)
            return self._endpoint

    def headers(self, url: str, body: bytes, now: float) -> dict[str, str]:
        """The headers that prove who sends a form to an address. ``now``: epoch seconds.

        Raises:
            NoCredentials: there are no credentials, or no region.
        """
        auth = importlib.import_module("botocore.auth")
        request = importlib.import_module("botocore.awsrequest").AWSRequest(
            method="POST", url=url, data=body, headers={"Content-Type": FORM}
        )
        with self._lock, _told():
            credentials = self._credentials(now)
            auth.SigV4Auth(credentials, SERVICE, self._region()).add_auth(request)
        names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
        return {name: request.headers[name] for name in names if name in request.headers}

    def _own(self) -> Any:
        """The keys of the section, or what Amazon's tools find: environment, files, the machine."""
        config, session = self._config, self._open()
        if config.access_key:
            credentials = importlib.import_module("botocore.credentials")
            return credentials.Credentials(config.access_key, config.secret_key.get_secret_value())
        found = session.get_credentials()
        if found is None:
            raise NoCredentials(
                "there are no credentials for Amazon: give sigv4 an access_key and a secret_key, "
                "or a profile"
            )
        return found

    def _credentials(self, now: float) -> Any:
        config = self._config
        if not config.role_arn:
            return self._own().get_frozen_credentials()
        if self._of_role is None or now >= self._good_until:
            wanted = {"RoleArn": config.role_arn, "RoleSessionName": _SESSION_NAME}
            if config.external_id:
                wanted["ExternalId"] = config.external_id
            given = self._client("sts", self._own()).assume_role(**wanted)["Credentials"]
            credentials = importlib.import_module("botocore.credentials")
            self._of_role = credentials.Credentials(
                given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
            )
            ends: datetime = given["Expiration"]
            self._good_until = ends.timestamp() - _EARLY
        return self._of_role.get_frozen_credentials()

    def _client(self, service: str, credentials: Any) -> Any:
        frozen = credentials.get_frozen_credentials()
        config = importlib.import_module("botocore.config").Config(
            use_fips_endpoint=self._config.use_fips_sts_endpoint if service == "sts" else None,
            connect_timeout=5,
            read_timeout=10,
            retries={"max_attempts": 1},
        )
        return self._open().create_client(
            service,
            region_name=self._region(),
            aws_access_key_id=frozen.access_key,
            aws_secret_access_key=frozen.secret_key,
            aws_session_token=frozen.token,
            config=config,
        )

    def _region(self) -> str:
        region = self._config.region or self._open().get_config_variable("region")
        if not region:
            raise NoCredentials("no region: set sigv4.region, or AWS_REGION")
        return str(region)

    def _open(self) -> Any:
        if self._session is None:
            botocore_session = importlib.import_module("botocore.session")
            self._session = botocore_session.Session(profile=self._config.profile or None)
        return self._session
