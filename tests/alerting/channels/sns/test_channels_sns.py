"""Amazon's SNS: what is published, and that its signature is one."""

import hashlib
import hmac
import importlib.util
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from channel_server import Reply, Request, Server, messages, notification

from pynomaly.alerting.channels.base import group_hash
from pynomaly.alerting.channels.build import build
from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.errors import UnusableChannel
from pynomaly.alerting.channels.sns.config import SNSConfig
from pynomaly.alerting.contract import Channel, Delivery, Notification, Outcome

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
KEYS = {"region": "eu-west-1", "access_key": "AKIDEXAMPLE", "secret_key": "s3cr3t-key"}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("botocore") is None, reason="needs botocore: the extra aws"
)


@pytest.fixture(autouse=True)
def nothing_of_amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of the machine that tests run on."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def channel(hook: Server, **fields: Any) -> Channel:
    section = {"api_url": hook.url, "topic_arn": TOPIC, "sigv4": KEYS, **fields}
    config = SNSConfig.model_validate(section)
    return build(config.inherit(ChannelDefaults()), messages())


async def tell(hook: Server, told: Notification | None = None, **fields: Any) -> Delivery:
    sns = channel(hook, **fields)
    try:
        return await sns.deliver(told or notification())
    finally:
        await sns.close()


def form(hook: Server) -> dict[str, str]:
    found = parse_qs(hook.requests[-1].body.decode(), keep_blank_values=True)
    return {name: values[0] for name, values in found.items()}


def signed_by(request: Request, secret: str, region: str = "eu-west-1") -> bool:
    """Whether a request's signature is right; by Amazon's description of version 4."""
    given = dict(
        part.strip().split("=", 1)
        for part in request.headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(",")
    )
    names = given["SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            request.method,
            request.path,
            "",
            *(f"{name}:{request.headers[name].strip()}" for name in names),
            "",
            given["SignedHeaders"],
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    at = request.headers["x-amz-date"]
    scope = f"{at[:8]}/{region}/sns/aws4_request"
    assert given["Credential"].partition("/")[2] == scope
    assert {"host", "content-type", "x-amz-date"} <= set(names)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, digest])
    return hmac.new(key, text.encode(), "sha256").hexdigest() == given["Signature"]


async def test_a_message_is_published_and_signed(hook: Server) -> None:
    attributes = {"severity": "{{ .CommonLabels.job }}", "team": "ops"}
    delivery = await tell(hook, attributes=attributes, message="{{ .Status }}: ü & ~")
    assert delivery == Delivery(Outcome.DELIVERED)
    (request,) = hook.requests
    assert signed_by(request, "s3cr3t-key")
    assert not signed_by(request, "another")
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    found = form(hook)
    assert (found["Action"], found["TopicArn"]) == ("Publish", TOPIC)
    assert found["Message"] == "firing: ü & ~"
    assert found["Subject"].startswith("[FIRING 1]")
    entry = "MessageAttributes.entry"
    assert found[f"{entry}.1.Name"] == "severity" and found[f"{entry}.1.Value.DataType"] == "String"
    assert found[f"{entry}.1.Value.StringValue"] == "api" and found[f"{entry}.2.Name"] == "team"
    assert "MessageGroupId" not in found


async def test_a_fifo_topic_drops_a_repetition_and_no_other_state(hook: Server) -> None:
    told = notification()
    await tell(hook, told, topic_arn=f"{TOPIC}.fifo")
    found = form(hook)
    assert found["MessageGroupId"] == group_hash(told)
    assert found["MessageDeduplicationId"] == "id-1"
    await tell(hook, notification(id="id-2"), topic_arn=f"{TOPIC}.fifo")
    assert form(hook)["MessageGroupId"] == found["MessageGroupId"]
    assert form(hook)["MessageDeduplicationId"] == "id-2"


async def test_a_text_for_a_telephone_is_cut_between_characters(hook: Server) -> None:
    await tell(hook, topic_arn="", phone_number="+49 1", message="ü" * 801, subject="")
    found = form(hook)
    assert (found["PhoneNumber"], found["Message"]) == ("+49 1", "ü" * 800)
    assert found["MessageAttributes.entry.1.Name"] == "truncated"
    assert "Subject" not in found


async def test_an_endpoint_is_a_target_and_a_subject_has_one_line(hook: Server) -> None:
    await tell(hook, topic_arn="", target_arn="arn:x", subject="a\nb" + "c" * 200)
    found = form(hook)
    assert (found["TargetArn"], found["Subject"]) == ("arn:x", "a b" + "c" * 97)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "InvalidParameter", Outcome.PERMANENT),
        (400, "Throttling", Outcome.RETRYABLE),
        (403, "AuthorizationError", Outcome.PERMANENT),
        (500, "InternalError", Outcome.RETRYABLE),
    ],
)
async def test_what_amazon_says_is_wrong_is_told(
    hook: Server, status: int, code: str, outcome: Outcome
) -> None:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>so it is</Message></Error>"
    hook.replies = [Reply(status, f"<ErrorResponse>{error}</ErrorResponse>")]
    delivery = await tell(hook)
    assert delivery.outcome is outcome
    assert delivery.reason.endswith(f": {code}: so it is")


async def test_credentials_come_from_a_profile_as_amazons_tools_have_it(
    hook: Server, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(
        "[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = of-profile\n"
    )
    (tmp_path / "config").write_text("[profile ops]\nregion = us-east-2\n")
    assert (await tell(hook, sigv4={"profile": "ops"})).outcome is Outcome.DELIVERED
    (request,) = hook.requests
    assert "Credential=AKIDOPS/" in request.headers["authorization"]
    assert signed_by(request, "of-profile", "us-east-2")


async def test_a_role_is_assumed_once_for_as_long_as_it_lasts(
    hook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult>"
        "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>of-role</SecretAccessKey>"
        "<SessionToken>t0ken</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", hook.url)
    role = {"role_arn": "arn:aws:iam::1:role/x", "external_id": "us"}
    sns = channel(hook, sigv4={**KEYS, **role})
    hook.replies = [Reply(200, given, {"Content-Type": "text/xml"})]
    assert (await sns.deliver(notification())).outcome is Outcome.DELIVERED
    assert (await sns.deliver(notification())).outcome is Outcome.DELIVERED
    await sns.close()
    assumed, first, second = hook.requests
    asked = parse_qs(assumed.body.decode())
    assert asked["RoleArn"] == [role["role_arn"]] and asked["ExternalId"] == ["us"]
    for request in (first, second):
        assert request.headers["x-amz-security-token"] == "t0ken"
        assert signed_by(request, "of-role")


async def test_without_credentials_or_region_it_is_said_what_is_missing(hook: Server) -> None:
    delivery = await tell(hook, sigv4={"region": "eu-west-1"})
    assert delivery.outcome is Outcome.RETRYABLE
    assert "there are no credentials for Amazon: give sigv4 an access_key" in delivery.reason
    keys = {name: KEYS[name] for name in ("access_key", "secret_key")}
    assert "no region: set sigv4.region" in (await tell(hook, sigv4=keys)).reason
    assert hook.requests == []


async def test_the_address_is_that_of_the_region_where_none_is_given() -> None:
    from pynomaly.alerting.channels.sns.config import SigV4
    from pynomaly.alerting.channels.sns.signing import Signer

    signer = Signer(SigV4.model_validate(KEYS))
    assert signer.endpoint() == "https://sns.eu-west-1.amazonaws.com"


def test_without_botocore_the_file_is_refused_with_the_way_out(
    hook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnusableChannel, match=r"pip install 'pynomaly-monitoring\[aws\]'"):
        channel(hook)
