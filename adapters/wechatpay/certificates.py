"""Reads the answer of GET /v3/certificates. Refuses it whole if one certificate or the answer's signature fails."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.kit.http import HttpAnswer
from adapters.kit.keys import load_certificate
from adapters.wechatpay.sealing import CannotOpen, open_sealed
from adapters.wechatpay.serials import certificate_key, certificate_serial, normal_serial
from adapters.wechatpay.signing import NotAuthentic, verify_message
from gateway.domain.strict_json import parse_strict_json_object

CERTIFICATES_TARGET: Final = "/v3/certificates"
_HTTP_OK: Final = 200


def read_certificates(
    answer: HttpAnswer,
    *,
    apiv3_keys: Sequence[AESGCM],
    merchant_serial_no: str,
    now: datetime,
    find_known: Callable[[str], rsa.RSAPublicKey | None],
) -> tuple[x509.Certificate, ...]:
    """
    Decrypt every listed certificate, then verify the answer with the one it names.

    On the first download no key is known, so the decrypted certificates vouch for the answer: only WeChat and we hold
    the APIv3 key. A public-key-only merchant gets an error status here, which is no list.
    Source: sheet section 3.1; vector `certificates_download.json`.

    Raises:
        ValueError: It is not a good list; nothing of it may be used.
    """
    if answer.status != _HTTP_OK:
        raise ValueError(f"certificates: status {answer.status}")
    listed = parse_strict_json_object(answer.content).get("data")
    if not isinstance(listed, list):
        raise ValueError("certificates: no list")
    certificates = tuple(_read_certificate(entry, apiv3_keys) for entry in listed)
    by_serial = {certificate_serial(certificate): certificate for certificate in certificates}
    if normal_serial(merchant_serial_no) in by_serial:
        raise ValueError("certificates: the merchant's own is listed")

    def find_key(serial: str) -> rsa.RSAPublicKey | None:
        fresh = by_serial.get(normal_serial(serial))
        return find_known(serial) or (certificate_key(fresh) if fresh else None)

    try:
        verify_message(answer.headers, answer.content, now=now, find_key=find_key)
    except NotAuthentic as exc:
        raise ValueError(f"certificates: {exc.reason}") from None
    return certificates


def _read_certificate(entry: Any, apiv3_keys: Sequence[AESGCM]) -> x509.Certificate:
    sealed = entry.get("encrypt_certificate") if isinstance(entry, Mapping) else None
    serial_no = entry.get("serial_no") if isinstance(entry, Mapping) else None
    if not isinstance(sealed, Mapping) or not isinstance(serial_no, str):
        raise ValueError("certificates: members")
    try:
        certificate = load_certificate(open_sealed(apiv3_keys, sealed).decode("ascii"))
    except CannotOpen:
        raise ValueError("certificates: decrypt") from None
    if certificate_serial(certificate) != normal_serial(serial_no):
        raise ValueError("certificates: a serial differs from its certificate")
    return certificate
