"""Key derivation, canonical text, envelopes and statements, against vectors made by two other implementations."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, Final

import pytest

from adapters.kit import sm, sm_keys
from adapters.kit.config import AccountSettings
from adapters.shared_account.canonical import canonical_text, read_members
from adapters.shared_account.config import read_config
from adapters.shared_account.envelope import (
    Envelope,
    EnvelopeRefused,
    always,
    derive_key,
    read_signature,
    when_accepted,
)
from adapters.shared_account.statement import FileName, read_file
from gateway.domain.statement import StatementLineKind, StatementUnreadable
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.test_sm import by_index

CANONICAL: Final = peer.vector("canonical")
ENVELOPE: Final = peer.vector("envelope")
RECON: Final = peer.vector("recon")
SIGN: Final = peer.vector("sm2_sign")
LIBRARY: Final = sm.find_sm2("gmssl_pyx")

# --- keys and text ----------------------------------------------------------------------------------------------------


@by_index(peer.vector("key_derivation"))
def test_channel_key_is_the_vector_key(case: dict[str, str]) -> None:
    """Sixteen hex characters are the key."""
    key = derive_key(case["appId"], case["appSecret"])

    assert (case["sm4_key_ascii"], case["sm4_key_hex"]) == (key.decode(), key.hex())


@by_index(CANONICAL["cases"])
def test_canonical_text_is_the_vector_text(case: dict[str, Any]) -> None:
    """Byte for byte, from the parsed message."""
    message = read_members(json.dumps(case["message"]))

    text = canonical_text(message, case["appSecret"])

    assert case["canonical"] == text
    assert case["canonical_sm3"] == sm.sm3(text.encode()).hex()


@by_index(CANONICAL["reject_data"], "why")
def test_ambiguous_data_is_refused_before_it_becomes_text(case: dict[str, str]) -> None:
    """What two readers could read in two ways."""
    with pytest.raises(ValueError, match=r".+"):
        read_members(case["data_json"])


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        (f'{{"n":{(1 << 53) - 1}}}', True),
        (f'{{"n":{1 << 53}}}', False),
        (f'{{"n":-{1 << 53}}}', False),
        ('{"n":1.0}', False),
        ('{"n":Infinity}', False),
        ('{"a":' * 15 + "{}" + "}" * 15, True),
        ('{"a":' * 16 + "{}" + "}" * 16, False),
        ('{"a":' * 16 + "1" + "}" * 16, True),
        ('\ufeff{"a":1}', False),
    ],
    ids=["2^53-1", "2^53", "-2^53", "1.0", "infinity", "16 levels", "17 levels", "16 and a number", "BOM"],
)
def test_members_at_the_limit(text: str, *, is_good: bool) -> None:
    """Numbers and depth, at the edge and one past it."""
    if is_good:
        assert read_members(text)
        return
    with pytest.raises(ValueError, match=r".+"):
        read_members(text)


def test_names_may_be_sorted_without_case() -> None:
    """Some platforms do; then B stands behind a."""
    message = {"b": "2", "A": "1", "data": {"Z": "1", "y": "2"}, "C": "3"}

    assert 'A=1&C=3&b=2&data={"Z":"1","y":"2"}&key=s' == canonical_text(message, "s")
    assert 'A=1&b=2&C=3&data={"y":"2","Z":"1"}&key=s' == canonical_text(message, "s", order="nocase")


# --- signatures as texts ----------------------------------------------------------------------------------------------


def accepts(case: dict[str, Any], text: str, sig_format: str) -> bool:
    try:
        key = sm_keys.load_sm2_public_key(case["public_key_hex"])
        signature = read_signature(text, sig_format)
    except ValueError:
        return False
    return LIBRARY.verify(key, case["message_utf8"].encode(), case["user_id"].encode(), signature)


@by_index(SIGN["cases"])
def test_signature_text_of_vector_is_as_expected(case: dict[str, Any]) -> None:
    """Base64 of 64 bytes and nothing else; DER only where that is configured."""
    assert case["expect"] is accepts(case, case["signature_base64"], "raw")
    assert case.get("expect_if_sig_format_der", False) is accepts(case, case["signature_base64"], "der")


# --- envelopes --------------------------------------------------------------------------------------------------------


def envelope_for(case: dict[str, Any]) -> Envelope:
    """The channel of the vectors, from the side that reads this direction."""
    config = read_config(AccountSettings("main", peer.values(sm2_user_id=case["user_id_mode"])))
    if case["direction"] != "request":
        return config.envelope
    key = sm_keys.load_sm2_public_key(ENVELOPE["app_public_hex"])
    user_id = case["user_id"].encode()
    return replace(config.envelope, verify=lambda text, proof: LIBRARY.verify(key, text, user_id, proof))


def needs_data(case: dict[str, Any]) -> Callable[..., bool]:
    return when_accepted if case["direction"] == "response" else always


@by_index([case for case in ENVELOPE["cases"] if case["expect"] == "accept"])
def test_good_envelope_of_vector_opens(case: dict[str, Any]) -> None:
    """Both user-ID modes, all three directions, and exactly the text that was signed."""
    envelope = envelope_for(case)

    opened = envelope.open(case["body_json"].encode(), now=None, needs_data=needs_data(case))

    assert json.loads(case.get("data_plaintext", "{}")) == opened.data
    assert case["message"]["transType"] == opened.members["transType"]
    message = {**opened.members, **({"data": opened.data} if "data_plaintext" in case else {})}
    assert case["canonical"] == canonical_text(message, peer.APP_SECRET)


@by_index([case for case in ENVELOPE["cases"] if case["expect"] == "reject"])
def test_bad_envelope_of_vector_is_refused_for_its_reason(case: dict[str, Any]) -> None:
    """The first failing step tells the reason."""
    with pytest.raises(EnvelopeRefused) as caught:
        envelope_for(case).open(case["body_json"].encode(), now=None, needs_data=needs_data(case))

    either = {"decrypt_or_signature", "signature"}
    assert caught.value.reason in (either if case["reason"] == "decrypt_or_signature" else {case["reason"]})


def test_every_envelope_case_was_taken() -> None:
    """41 of them, 15 good."""
    expectations = [case["expect"] for case in ENVELOPE["cases"]]

    assert (41, 15) == (len(expectations), expectations.count("accept"))
    assert {"accept", "reject"} == set(expectations)


@pytest.mark.parametrize("mode", ["default", "app_secret"])
def test_own_envelope_opens_on_the_other_side(mode: str) -> None:
    """What we seal with either user ID verifies with our public key alone."""
    case = {
        "direction": "request",
        "user_id_mode": mode,
        "user_id": peer.APP_SECRET if mode != "default" else "1234567812345678",
    }
    envelope = envelope_for(case)

    body = envelope.seal("sa.pay.query", {"outTradeNo": peer.WIRE_NUMBER}, peer.NOW)

    assert {"outTradeNo": peer.WIRE_NUMBER} == envelope.open(body, now=peer.NOW, needs_data=always).data


def test_own_envelope_in_der_opens_only_as_der() -> None:
    """sig_format changes both directions."""
    case = {"direction": "request", "user_id_mode": "default", "user_id": "1234567812345678"}
    raw, der = envelope_for(case), replace(envelope_for(case), sig_format="der")

    body = der.seal("sa.pay.query", {"a": "1"}, peer.NOW)

    assert {"a": "1"} == der.open(body, now=peer.NOW, needs_data=always).data
    with pytest.raises(EnvelopeRefused, match="signature"):
        raw.open(body, now=peer.NOW, needs_data=always)
    with pytest.raises(EnvelopeRefused, match="signature"):
        der.open(raw.seal("sa.pay.query", {"a": "1"}, peer.NOW), now=peer.NOW, needs_data=always)


# --- statements -------------------------------------------------------------------------------------------------------

FILE: Final = (peer.VECTORS / RECON["file"]).read_bytes()
WANTED: Final = FileName(app_id=peer.APP_ID, day=date(2025, 10, 18), region=RECON["insuplcAdmdvs"])


def told(content: bytes, **changes: Any) -> dict[str, Any]:
    rows = content.decode().count("\nD|")
    return {
        "fileName": "recon.txt",
        "fileSm3": sm.sm3(content).hex(),
        "rows": rows,
        "fileBody": base64.b64encode(content).decode(),
        **changes,
    }


def test_statement_of_vector_gives_its_rows() -> None:
    """Every row, every amount, in fen."""
    lines = read_file(told(FILE, fileSm3=RECON["sm3_hex"]), WANTED, lines_before=0)

    wanted = [(r["outTradeNo"], r["payOrdId"], r["kind"], r["time"], r["amount_fen"]) for r in RECON["rows"]]
    found = [
        (
            line.out_trade_no,
            line.provider_trade_no,
            line.provider_status,
            f"{line.occurred_at:%Y%m%d%H%M%S}",
            line.amount_fen,
        )
        for line in lines
    ]
    assert (wanted, RECON["bytes"]) == (found, len(FILE))
    assert RECON["pay_fen"] == sum(line.amount_fen for line in lines if line.kind is StatementLineKind.PAYMENT)
    assert RECON["revoke_fen"] == sum(line.amount_fen for line in lines if line.kind is StatementLineKind.REFUND)


@by_index(RECON["bad_files"], "why")
def test_bad_statement_of_vector_gives_no_line(case: dict[str, str]) -> None:
    """Whatever is wrong with it, even with its digest right."""
    with pytest.raises(StatementUnreadable):
        read_file(told(case["text"].encode()), WANTED, lines_before=0)
