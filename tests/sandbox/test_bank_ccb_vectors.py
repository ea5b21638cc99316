"""The sandbox's CCB signing against the bank's own program and public clients."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.bank_ccb.keys import new_counter_key, public_hex
from sandbox.bank_ccb.signing import mac_of, pub_of, sign

VECTORS = Path(__file__).parent / "vectors"
ORDERS: list[dict[str, Any]] = json.loads((VECTORS / "bank_ccb_order_mac.json").read_text("utf-8"))["cases"]
CALLBACKS: list[dict[str, Any]] = json.loads((VECTORS / "bank_ccb_callback.json").read_text("utf-8"))["cases"]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    loaded = load_pem_private_key((VECTORS / "bank_ccb_counter_private_key.pem").read_bytes(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


@pytest.mark.parametrize(
    "case", [case for case in ORDERS if case["params"]["TXCODE"] != "410408"], ids=lambda case: case["id"]
)
def test_mac_equals_that_of_public_clients(key: rsa.RSAPrivateKey, case: dict[str, Any]) -> None:
    """PUB at its place; no usual mistake gives the same."""
    mac = mac_of(case["params"], pub_of(key))

    assert case["mac"] == mac
    assert mac not in [wrong["mac"] for wrong in case["must_not_equal"]]


@pytest.mark.parametrize("case", [case for case in CALLBACKS if case["valid"]], ids=lambda case: case["id"])
def test_signature_equals_that_of_the_banks_program(key: rsa.RSAPrivateKey, case: dict[str, Any]) -> None:
    """Byte for byte, but for the letters' case."""
    pairs = [tuple(piece.split("=", 1)) for piece in case["signed_string"].split("&")]

    assert dict(case["post"])["SIGN"].lower() == sign(key, pairs, "ascii")


def test_new_key_is_of_the_banks_kind() -> None:
    """1024 bits, exponent 17, so that its public half ends as real ones do."""
    fresh = new_counter_key()

    assert (1024, 17) == (fresh.key_size, fresh.public_key().public_numbers().e)
    assert public_hex(fresh).endswith("020111")
    assert fresh.public_key().public_numbers() != new_counter_key().public_key().public_numbers()
