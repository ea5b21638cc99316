"""The sandbox's own signing code against signed values of other implementations."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sandbox.alipay.signing import genuine, request_text
from sandbox.certificates import certificate_sn, root_certificate_sn
from sandbox.wechatpay.signing import SignRefused, check_request

VECTORS = Path(__file__).parent / "vectors"


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


def merchant_key() -> rsa.RSAPublicKey:
    key = x509.load_pem_x509_certificate((VECTORS / "wechatpay_merchant_cert.pem").read_bytes()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def check(case: dict[str, Any], *, body: bytes, now: int) -> None:
    check_request(
        method=case["method"],
        path=case["canonical_url"],
        headers={"authorization": case["authorization"]},
        body=body,
        now=datetime.fromtimestamp(now, UTC),
        mchid=case["mchid"],
        serial=case["serial_no"],
        key=merchant_key(),
    )


WECHATPAY_CASES = read("wechatpay_authorization.json")["cases"]


@pytest.mark.parametrize("case", WECHATPAY_CASES, ids=lambda case: case["id"])
def test_wechatpay_request_of_another_implementation_is_accepted(case: dict[str, Any]) -> None:
    """The signed text is built from exactly these bytes."""
    check(case, body=case["body"].encode(), now=int(case["timestamp"]))


@pytest.mark.parametrize("case", WECHATPAY_CASES, ids=lambda case: case["id"])
def test_wechatpay_request_with_other_body_is_refused(case: dict[str, Any]) -> None:
    """One byte more, and the signature is wrong."""
    with pytest.raises(SignRefused):
        check(case, body=case["body"].encode() + b" ", now=int(case["timestamp"]))


@pytest.mark.parametrize("seconds", [300, -300, 301])
def test_wechatpay_request_five_minutes_off_is_refused(seconds: int) -> None:
    """299 s would pass."""
    case = WECHATPAY_CASES[0]
    check(case, body=case["body"].encode(), now=int(case["timestamp"]) + 299)

    with pytest.raises(SignRefused):
        check(case, body=case["body"].encode(), now=int(case["timestamp"]) + seconds)


@pytest.mark.parametrize("case", read("alipay_requests.json"), ids=lambda case: case["id"])
def test_alipay_request_of_another_implementation_is_genuine(case: dict[str, Any]) -> None:
    """String to sign and signature both agree; an altered value does not."""
    key = load_pem_public_key((VECTORS / "alipay_app_public.pem").read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    fields = {**case["params"], "sign": case["sign"]}

    assert case["string_to_sign"] == request_text(fields)
    assert genuine(fields, key, "utf-8")
    assert not genuine({**fields, "version": "1.1"}, key, "utf-8")


@pytest.mark.parametrize("case", read("alipay_cert_sn.json"), ids=lambda case: case["id"])
def test_alipay_certificate_number_equals_the_vector(case: dict[str, Any]) -> None:
    """Single certificates and root files."""
    pem = case["pem"].encode() if case["pem"] else (VECTORS / case["file"]).read_bytes()
    certificates = tuple(x509.load_pem_x509_certificates(pem))

    number = root_certificate_sn(certificates) if case["kind"] == "root" else certificate_sn(certificates[0])

    assert case["expected_sn"] == number
