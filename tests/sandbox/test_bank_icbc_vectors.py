"""The sandbox's ICBC signing against messages of the bank's own jar."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.bank_icbc.signing import (
    answer_body,
    bank_signature,
    genuine,
    merchant_answer,
    seal,
    signed_text,
    unseal,
)

VECTORS = Path(__file__).parents[1] / "adapters" / "bank_icbc" / "vectors"


def cases(name: str, member: str = "cases") -> list[Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))[member]
    return [pytest.param(case, id=case["id"]) for case in found]


def key(name: str) -> rsa.RSAPrivateKey:
    loaded = load_pem_private_key((VECTORS / "keys" / f"{name}_private.pem").read_bytes(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


CONTENT_KEY = base64.b64decode((VECTORS / "keys" / "icbc_aes_key.b64").read_text())


@pytest.mark.parametrize("case", cases("icbc_request"))
def test_request_of_the_banks_jar_is_genuine(case: dict[str, Any]) -> None:
    """Text and signature agree; an altered text does not; what is encrypted opens."""
    params, path = case["params"], "/" + case["service_url"].split("/", 3)[3]
    text = signed_text(path, params)

    assert case["string_to_sign"] == text
    assert genuine(key("icbc_app").public_key(), params["sign_type"], case["sign"], text.encode())
    assert not genuine(key("icbc_app").public_key(), params["sign_type"], case["sign"], text.encode() + b" ")
    if params.get("encrypt_type"):
        assert case["biz_content_plain"] == unseal(CONTENT_KEY, params["biz_content"])
        assert params["biz_content"] == seal(CONTENT_KEY, case["biz_content_plain"])


@pytest.mark.parametrize("case", [one for one in cases("icbc_response") if one.values[0]["verified"]])
def test_answer_is_written_byte_for_byte_as_the_vector(case: dict[str, Any]) -> None:
    """Around the raw text, with the bank's signature over it."""
    text = case["signed_text"]

    assert case["body"].encode() == answer_body(text, bank_signature(key("icbc_gateway"), text.encode()))


@pytest.mark.parametrize("case", [one for one in cases("icbc_notify") if one.values[0]["valid"]])
def test_notify_is_signed_as_the_vector(case: dict[str, Any]) -> None:
    """All fields that are not empty."""
    text = signed_text(case["path"], case["form"])

    assert case["string_to_verify"] == text
    assert case["form"]["sign"] == bank_signature(key("icbc_gateway"), text.encode())


@pytest.mark.parametrize("case", cases("icbc_notify", "answers"))
def test_merchants_answer_of_the_vector_is_proven(case: dict[str, Any]) -> None:
    """With the sign_type that it names; one changed byte is refused."""
    body = case["body"].encode()

    assert json.loads(case["body"])["response_biz_content"] == merchant_answer(
        key("icbc_app").public_key(), CONTENT_KEY, body
    )
    for spoilt in (body.replace(b"return_msg", b"return_msh"), body[:-1], b" " + body, body + b" "):
        with pytest.raises(ValueError, match=r".*"):
            merchant_answer(key("icbc_app").public_key(), CONTENT_KEY, spoilt)
