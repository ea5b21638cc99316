"""The sandbox's SM code, envelope and statement against values of two other implementations."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gmssl_pyx")

from sandbox.clock import BEIJING
from sandbox.money import yuan_of
from sandbox.shared_account import sm
from sandbox.shared_account.admission import beijing_time
from sandbox.shared_account.envelope import Envelope, EnvelopeRefused, canonical, strict_object
from sandbox.shared_account.statement import Row, statement_text

VECTORS = Path(__file__).parent / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / f"shared_account_{name}.json").read_text("utf-8"))


CANONICAL, ENVELOPES, SIGNATURES, RECON = (load(name) for name in ("canonical", "envelope", "sm2_sign", "recon"))
USER_IDS = {"default": sm.DEFAULT_USER_ID, "app_secret": ENVELOPES["appSecret"].encode()}


def envelope(case: dict[str, Any]) -> Envelope:
    side = "app" if case["direction"] == "request" else "platform"
    return Envelope(
        app_id=ENVELOPES["appId"],
        app_secret=ENVELOPES["appSecret"],
        own=sm.Sm2Pair(
            private_key=bytes.fromhex(ENVELOPES["app_private_d_hex"]),
            public_key=bytes.fromhex(ENVELOPES["app_public_hex"])[1:],
        ),
        peer=bytes.fromhex(ENVELOPES[f"{side}_public_hex"])[1:],
        user_id=USER_IDS[case["user_id_mode"]],
    )


@pytest.mark.parametrize("case", CANONICAL["cases"], ids=lambda case: case["note"])
def test_canonical_string_equals_the_vector(case: dict[str, Any]) -> None:
    """The text, and its SM3."""
    text = canonical(case["message"], case["appSecret"])

    assert case["canonical"] == text.decode("utf-8")
    assert case["canonical_sm3"] == sm.sm3_hex(text)


@pytest.mark.parametrize("case", CANONICAL["reject_data"], ids=lambda case: case["why"])
def test_json_outside_the_rules_is_refused(case: dict[str, Any]) -> None:
    """Before anything is signed or verified."""
    with pytest.raises(EnvelopeRefused, match="format"):
        strict_object(case["data_json"].encode("utf-8"))


@pytest.mark.parametrize("depth", [15, 16, 60_000])
def test_json_nested_deeper_than_sixteen_is_refused(depth: int) -> None:
    """An object and fifteen lists are sixteen levels."""
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"

    if depth == 15:
        assert ["a"] == list(strict_object(body))
    else:
        with pytest.raises(EnvelopeRefused, match="format"):
            strict_object(body)


@pytest.mark.parametrize("case", load("key_derivation"), ids=lambda case: case["sm4_key_ascii"])
def test_derived_key_equals_the_vector(case: dict[str, Any]) -> None:
    """16 ASCII characters."""
    assert case["sm4_key_ascii"].encode() == sm.derive_key(case["appId"], case["appSecret"])


@pytest.mark.parametrize("position", range(len(SIGNATURES["cases"])))
def test_signature_is_judged_as_in_the_vector(position: int) -> None:
    """Raw r‖s in strict base64 and nothing else."""
    case = SIGNATURES["cases"][position]
    try:
        signature = base64.b64decode(case["signature_base64"], validate=True)
    except ValueError:
        signature = b""
    message = case["message_utf8"].encode() if "message_utf8" in case else bytes.fromhex(case["message_hex"])
    public_key = bytes.fromhex(case["public_key_hex"])[1:]

    assert case["expect"] is sm.genuine(public_key, message, signature, case["user_id"].encode())


@pytest.mark.parametrize("case", ENVELOPES["cases"], ids=lambda case: f"{case['note']} {case['user_id_mode']}")
def test_envelope_is_judged_as_in_the_vector(case: dict[str, Any]) -> None:
    """Accepted with its data, or refused for the reason given."""
    body = case["body_json"].encode("utf-8")

    if case["expect"] == "accept":
        data = json.loads(case.get("data_plaintext", "null"))
        assert data == envelope(case).opened(body).get("data")
    else:
        with pytest.raises(EnvelopeRefused, match=f"^{case['reason']}$"):
            envelope(case).opened(body)


@pytest.mark.parametrize(
    "half", [b"\x00" * 31 + b"\x01", b"\x7f" * 32, b"\xff" * 32], ids=["short", "plain", "top bit"]
)
def test_signature_in_der_keeps_its_numbers(half: bytes) -> None:
    """Leading zeros go and come back; a byte more is refused."""
    assert half + half == sm.raw_from_der(sm.der_of(half + half))
    with pytest.raises(ValueError, match="DER"):
        sm.raw_from_der(sm.der_of(half + half) + b"\0")


def test_statement_is_written_byte_for_byte_as_the_vector() -> None:
    """Header, rows and trailer, and the SM3 of the whole."""
    rows = [
        Row(
            out_trade_no=row["outTradeNo"],
            pay_ord_id=row["payOrdId"],
            kind=row["kind"],
            at=beijing_time(row["time"], "%Y%m%d%H%M%S", "time").astimezone(BEIJING),
            amount_fen=row["amount_fen"],
            member_id_no=row["memberIdNo"],
            insu_year=row["insuYear"],
        )
        for row in RECON["rows"]
    ]
    text = statement_text(ENVELOPES["appId"], RECON["stmtDate"], RECON["insuplcAdmdvs"], rows).encode("utf-8")

    assert (VECTORS / "shared_account_recon.txt").read_bytes() == text
    assert RECON["sm3_hex"] == sm.sm3_hex(text)
    assert yuan_of(RECON["pay_fen"]).encode() in text
