"""Mail, against a mail server on a real socket."""

import email.utils
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from channel_certificates import Certificates
from channel_server import START, alert, messages, notification, resolved
from smtp_server import PASSWORD, USER, smtp_server

from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.alerting.channels.email.channel import EmailChannel
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")

LOGIN = {"auth_username": USER, "auth_password": PASSWORD, "auth_secret": PASSWORD}


def section(address: str, **config: Any) -> EmailConfig:
    given = {
        "to": "Ops <ops@example.com>",
        "from": "Pynomaly <noreply@example.com>",
        "smarthost": address,
        "require_tls": False,
        **config,
    }
    return EmailConfig.model_validate(given).inherit(ChannelDefaults())


async def deliver(
    address: str, *told: Notification, timeout: float = 30.0, **config: Any
) -> Delivery:
    """The last delivery of several by one channel."""
    channel = EmailChannel(section(address, **config), messages(), timeout=timeout)
    delivery = Delivery(Outcome.PERMANENT)
    try:
        for one in told or (notification(),):
            delivery = await channel.deliver(one)
    finally:
        await channel.close()
    return delivery


async def test_a_mail_says_it_in_html_and_in_text() -> None:
    async with smtp_server() as box:
        assert await deliver(box.address) == Delivery(Outcome.DELIVERED)
    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.com"]
    assert mail["Subject"].startswith("[FIRING 1] Down")
    assert (mail["To"], mail["From"]) == (
        "Ops <ops@example.com>",
        "Pynomaly <noreply@example.com>",
    )
    assert email.utils.parsedate_to_datetime(mail["Date"]).timestamp() == START
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "a is down" in text.get_content() and "<table" in html.get_content()
    assert 'href="http://runbook"' in html.get_content()


async def test_what_labels_say_cannot_become_html_or_a_header() -> None:
    async with smtp_server() as box:
        told = notification(alert("<script>\r\nBcc: evil@example.com"))
        headers = {"Subject": "{{ .CommonLabels.instance }}"}
        await deliver(box.address, told, headers=headers)
    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.com"] and mail["Bcc"] is None
    assert mail["Subject"] == "<script> Bcc: evil@example.com"
    _, html = mail.iter_parts()
    assert "<script>" not in html.get_content()


async def test_headers_and_texts_of_ones_own_are_rendered() -> None:
    async with smtp_server() as box:
        await deliver(
            box.address,
            to="a@example.com, b@example.com",
            headers={"subject": "Ärger mit {{ .CommonLabels.job }}", "x-prio": 1},
            text="{{ .Status }}!",
            html="<b>{{ .Status }}</b>",
        )
    ((recipients, mail),) = box.mails
    assert recipients == ["a@example.com", "b@example.com"]
    assert (mail["Subject"], mail["X-Prio"]) == ("Ärger mit api", "1")
    text, html = mail.iter_parts()
    assert (text.get_content().strip(), html.get_content().strip()) == ("firing!", "<b>firing</b>")


async def test_every_attempt_to_tell_one_state_has_one_message_id() -> None:
    async with smtp_server() as box:
        for told in (notification(), notification(), notification(id="id-2")):
            await deliver(box.address, told)
    first, again, other = (mail["Message-Id"] for _, mail in box.mails)
    assert first == again != other


@pytest.mark.parametrize("by", ["none", "daily"])
async def test_mails_of_a_group_answer_one_thread(by: str) -> None:
    async with smtp_server() as box:
        threading = {"enabled": True, "thread_by_date": by}
        told = (notification(), notification(resolved(), id="id-2"))
        await deliver(box.address, *told, threading=threading)
    first, second = (mail for _, mail in box.mails)
    assert first["References"] == second["References"]
    assert first["In-Reply-To"] == first["References"]
    assert first["Message-Id"] != second["Message-Id"]
    assert ("2023-11-1" in first["References"]) == (by == "daily")


@pytest.mark.needs("openssl")
async def test_starttls_is_required_unless_configured_otherwise(
    certificates: Certificates,
) -> None:
    async with smtp_server() as box:
        delivery = await deliver(box.address, require_tls=True)
        assert delivery.outcome is Outcome.RETRYABLE and "STARTTLS" in delivery.reason
        assert not box.mails
    async with smtp_server(starttls=certificates.server()) as box:
        trust = {"require_tls": True, "tls_config": {"ca_file": str(certificates.cert)}}
        assert (await deliver(box.address, **trust)).outcome is Outcome.DELIVERED
        assert len(box.mails) == 1 and box.encrypted == [True]


@pytest.mark.needs("openssl")
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificates: Certificates,
) -> None:
    async with smtp_server(starttls=certificates.server()) as box:
        delivery = await deliver(box.address, require_tls=True)
        assert delivery.outcome is Outcome.RETRYABLE and "TLS" in delivery.reason
        other = {"ca_file": str(certificates.cert), "server_name": "mail.example.com"}
        delivery = await deliver(box.address, require_tls=True, tls_config=other)
        assert "TLS" in delivery.reason
        right = {"ca_file": str(certificates.cert), "server_name": "localhost"}
        delivery = await deliver(box.address, require_tls=True, tls_config=right)
        assert delivery.outcome is Outcome.DELIVERED


@pytest.mark.needs("openssl")
async def test_tls_from_the_first_byte_where_it_is_forced(certificates: Certificates) -> None:
    async with smtp_server(implicit=certificates.server()) as box:
        trust = {"force_implicit_tls": True, "tls_config": {"ca_file": str(certificates.cert)}}
        assert (await deliver(box.address, **trust)).outcome is Outcome.DELIVERED
        assert len(box.mails) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_it_logs_in_by_what_the_server_offers(mechanism: str) -> None:
    async with smtp_server(auth=mechanism) as box:
        assert (await deliver(box.address, **LOGIN)).outcome is Outcome.DELIVERED
        wrong = {**LOGIN, "auth_password": "wr0ng-password", "auth_secret": "wr0ng-password"}
        delivery = await deliver(box.address, **wrong)
    assert delivery.outcome is Outcome.PERMANENT and delivery.reason.startswith("535")
    assert "wr0ng" not in delivery.reason
    assert len(box.mails) == 1


async def test_a_secret_that_is_missing_is_named() -> None:
    async with smtp_server(auth="CRAM-MD5") as box:
        delivery = await deliver(box.address, auth_username=USER, auth_password=PASSWORD)
    assert delivery == Delivery(Outcome.PERMANENT, "auth_secret is needed for CRAM-MD5")


async def test_the_password_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    async with smtp_server(auth="PLAIN") as box:
        file = {"auth_username": USER, "auth_password_file": str(tmp_path / "password")}
        assert (await deliver(box.address, **file)).outcome is Outcome.DELIVERED


async def test_who_never_takes_mail_does_not_keep_it_from_others() -> None:
    async with smtp_server() as box:
        box.refusals = {"gone@example.com": "550 no such user"}
        delivery = await deliver(box.address, to="ops@example.com, gone@example.com")
    assert delivery.outcome is Outcome.DELIVERED
    assert delivery.reason == "not to gone@example.com: 550 no such user"
    assert [recipients for recipients, _ in box.mails] == [["ops@example.com"]]


async def test_who_takes_it_later_gets_it_and_nobody_gets_it_twice() -> None:
    async with smtp_server() as box:
        channel = EmailChannel(section(box.address, to="a@example.com, b@example.com"), messages())
        box.refusals = {"b@example.com": "450 greylisted"}
        first = await channel.deliver(notification())
        box.refusals = {}
        second = await channel.deliver(notification())
        third = await channel.deliver(notification())
        await channel.close()
    assert first == Delivery(Outcome.RETRYABLE, "to b@example.com: 450 greylisted")
    assert second.outcome is third.outcome is Outcome.DELIVERED
    assert [recipients for recipients, _ in box.mails] == [["a@example.com"], ["b@example.com"]]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 later", Outcome.RETRYABLE), ("554 no spam", Outcome.PERMANENT)],
)
async def test_the_servers_refusal_says_whether_trying_again_can_help(
    answer: str, outcome: Outcome
) -> None:
    async with smtp_server() as box:
        box.data = [answer]
        assert await deliver(box.address) == Delivery(outcome, answer)


async def test_a_server_that_takes_nobody_refuses_for_good() -> None:
    async with smtp_server() as box:
        box.refusals = {"ops@example.com": "550 no such user"}
        delivery = await deliver(box.address)
    assert delivery == Delivery(Outcome.PERMANENT, "to ops@example.com: 550 no such user")


async def test_a_server_that_hangs_is_given_up() -> None:
    async with smtp_server() as box:
        box.hang = True
        delivery = await deliver(box.address, timeout=0.3)
    assert delivery == Delivery(Outcome.RETRYABLE, "no answer within 300ms")


async def test_a_server_that_is_away_or_breaks_off_can_be_tried_again(
    free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery = await deliver(f"127.0.0.1:{free_port()}", **LOGIN)
    assert delivery.outcome is Outcome.RETRYABLE and "cannot connect" in delivery.reason
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        threading.Thread(target=lambda: listener.accept()[0].close()).start()
        delivery = await deliver(f"127.0.0.1:{listener.getsockname()[1]}", **LOGIN)
    assert delivery.outcome is Outcome.RETRYABLE and "broke" in delivery.reason
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"to": "nobody in particular"}, "not a list of mail addresses"),
        ({"from": "a@example.com, b@example.com"}, "one sender is needed"),
        ({"html": "{{ .Nothing }}"}, "cannot be rendered"),
    ],
)
async def test_what_cannot_be_mailed_is_said(config: dict[str, Any], said: str) -> None:
    async with smtp_server() as box:
        delivery = await deliver(box.address, **config)
    assert delivery.outcome is Outcome.PERMANENT and said in delivery.reason


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"smarthost": "mail.example.com"}, "host:port"),
        ({"to": ""}, "to"),
        ({"headers": {"subject": "a", "Subject": "b"}}, "there twice"),
        ({"threading": {"enabled": True}}, "none or daily"),
        (
            {
                "threading": {"enabled": True, "thread_by_date": "daily"},
                "headers": {"references": "x"},
            },
            "exclude each other",
        ),
        ({"auth_password": "a", "auth_password_file": "b"}, "at most one"),
    ],
)
def test_a_section_that_cannot_work_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        section(config.pop("smarthost", "127.0.0.1:25"), **config)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"from": "a@b"}, "no mail server"), ({"smarthost": "m:25"}, "no sender")],
)
def test_what_global_does_not_say_either_is_missed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EmailConfig.model_validate({"to": "a@b", **given}).inherit(ChannelDefaults())
