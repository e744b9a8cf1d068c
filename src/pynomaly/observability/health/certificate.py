"""When a certificate ends: the one date of X.509 that a health check needs."""

import datetime as dt
import socket
import ssl
from pathlib import Path

_UTC_TIME, _GENERALIZED_TIME, _EXPLICIT_VERSION = 0x17, 0x18, 0xA0


def expiry_of_server(host: str, port: int, timeout: float) -> dt.datetime:
    """When the certificate that a server shows ends.

    It is not verified: an expired or private one has a date as well. Raises OSError if the server
    cannot be reached or speaks no TLS.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    if not shown:
        raise OSError(f"{host}:{port} showed no certificate")
    return not_after(shown)


def expiry_of_file(path: Path) -> dt.datetime:
    """When the first certificate of a PEM file ends.

    Raises OSError if it cannot be read, ValueError if it holds none.
    """
    text = path.read_text(encoding="ascii", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    at, to = text.find(begin), text.find(end)
    if at < 0 or to < at:
        raise ValueError(f"{path} holds no certificate in PEM form")
    return not_after(ssl.PEM_cert_to_DER_cert(text[at : to + len(end)]))


def not_after(certificate: bytes) -> dt.datetime:
    """``validity.notAfter`` of a DER certificate (RFC 5280, 4.1); raises ValueError for others."""
    try:
        body = _element(_element(certificate, 0)[1], 0)[1]
        at = 0
        tag, _, after = _header(body, 0)
        if tag == _EXPLICIT_VERSION:
            at = after
        for _ in range(3):  # serial number, signature algorithm, issuer
            at = _header(body, at)[2]
        validity = _element(body, at)[1]
        kind, text = _element(validity, _header(validity, 0)[2])
    except IndexError:
        raise ValueError("this is not a DER certificate") from None
    return _moment(kind, text.decode("ascii"))


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """(tag, where the content begins, where it ends) of the element at an offset."""
    tag, length, begin = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[begin : begin + size], "big")
        begin += size
    return tag, begin, begin + length


def _element(data: bytes, at: int) -> tuple[int, bytes]:
    tag, begin, end = _header(data, at)
    return tag, data[begin:end]


def _moment(kind: int, text: str) -> dt.datetime:
    if kind == _UTC_TIME:  # two digits of the year; 50 and above are of the last century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("the certificate's validity is no date")
    return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
