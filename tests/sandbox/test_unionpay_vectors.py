"""The sandbox's UnionPay signing and shapes against messages of the vendor's own SDK."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.unionpay.admission import request_fields
from sandbox.unionpay.files import line_of
from sandbox.unionpay.signing import Signer, answer_body, digest, genuine, signed_text

VECTORS = Path(__file__).parent / "vectors"
CASES: dict[str, Any] = json.loads((VECTORS / "unionpay.json").read_text("utf-8"))
LINES = (VECTORS / "unionpay_zm.txt").read_bytes().splitlines(keepends=True)


def certificate(name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((VECTORS / f"unionpay_{name}_certificate.pem").read_bytes())


@pytest.fixture(scope="module")
def platform() -> Signer:
    key = load_pem_private_key((VECTORS / "unionpay_platform_private_key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Signer(certificate=certificate("platform"), private_key=key)


@pytest.mark.parametrize("case", CASES["requests"], ids=lambda case: case["name"])
def test_request_of_the_vendors_sdk_is_genuine(case: dict[str, Any]) -> None:
    """The form is read in its encoding; string, digest and signature agree; an altered value does not."""
    fields = request_fields(case["form_body_example"].encode("ascii"))
    codec = case["encoding"].lower()
    key = certificate("merchant").public_key()
    assert isinstance(key, rsa.RSAPublicKey)

    assert case["signed_fields"] == fields
    assert case["canonical"] == signed_text(fields)
    assert case["canonical_bytes_hex_sha256"] == digest(fields, codec).decode()
    assert genuine(fields, key, codec)
    assert not genuine({**fields, "txnTime": "20240105165843"}, key, codec)


@pytest.mark.parametrize("case", CASES["responses"], ids=lambda case: case["name"])
def test_answer_is_written_byte_for_byte_as_the_vector(platform: Signer, case: dict[str, Any]) -> None:
    """Order of fields, certificate with CRLF, signature, encoding: the same bytes."""
    fields = {
        name: value for name, value in case["parsed_fields"].items() if name not in {"signPubKeyCert", "signature"}
    }

    assert base64.b64decode(case["body_base64"]) == answer_body(platform.signed(fields))


@pytest.mark.parametrize("position", range(len(LINES)))
def test_settlement_line_is_written_byte_for_byte_as_the_vector(position: int) -> None:
    """607 bytes of GBK and CRLF, signs and Chinese text included."""
    columns = {int(number): text for number, text in CASES["zm_rows"][position].items()}

    assert LINES[position] == line_of(columns)
    assert len(LINES[position]) == 609


def test_settlement_line_cuts_long_text_between_characters() -> None:
    """32 bytes of reqReserved: an ASCII letter and 15 of 20 characters, then a space."""
    line = line_of({35: "x" + "医" * 20})

    assert len(line) == 609
    assert line[397:430].decode("gbk") == "x" + "医" * 15 + "  "
