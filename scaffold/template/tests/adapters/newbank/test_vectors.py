"""Signed texts and signatures against values that other programs made; see vectors/README.md."""

import json
from typing import Any

import pytest

from adapters.kit.sign import sign_sha256
from adapters.newbank.signing import message_text, request_text
from tests.adapters.newbank.peer import VECTORS, private_key

CASES = json.loads((VECTORS / "signatures.json").read_text())["cases"]


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["id"]) for vector in CASES])
def test_signature_over_our_text_equals_the_vector(vector: dict[str, Any]) -> None:
    """The text is the document's to the byte: RSA with PKCS#1 v1.5 has one signature for each text."""
    timestamp, nonce, body = vector["timestamp"], vector["nonce"], vector["body"].encode()
    texts = {
        "request": lambda: request_text(vector["path"], timestamp, nonce, body),
        "message": lambda: message_text(timestamp, nonce, body),
    }

    signature = sign_sha256(private_key(vector["key"]), texts[vector["signs"]]())

    assert vector["signature"] == signature
