"""Every case of the shared vectors: made by other implementations, judged by none of ours."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import serialization

from adapters.alipay import v3
from adapters.alipay.certificates import (
    FixedKeys,
    certificate_sn,
    is_rsa_signed,
    read_certificates,
    root_sn,
)
from adapters.alipay.client import query_text
from adapters.alipay.envelope import AnswerUnreadable, open_envelope, parse_node
from adapters.alipay.notify import open_notice, open_return
from adapters.alipay.signing import notify_text, request_text, sign_request, signed_by_any
from adapters.alipay.statement import Bill, read_bill
from adapters.kit.aes import decrypt_content, encrypt_content, load_content_key
from adapters.kit.keys import load_rsa_private_key, load_rsa_public_key
from adapters.kit.sign import sign_sha256
from gateway.domain.clock import CHINA
from gateway.domain.money import yuan_from_fen
from gateway.domain.provider import CallbackRefused
from gateway.domain.statement import StatementKind, StatementLineKind
from tests.adapters.alipay import peer

_APP_KEY = load_rsa_private_key(peer.pem("app_private_pkcs8.pem"))
_PLATFORM_KEYS = FixedKeys(keys=(load_rsa_public_key(peer.pem("alipay_public.pem")),))


def each(name: str, items: list[dict[str, Any]] | None = None) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "vector", [pytest.param(vector, id=vector["id"]) for vector in items or peer.vectors(name)]
    )


# --- keys and requests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", sorted(peer.KEYS["app_private"]))
def test_private_key_in_each_pasted_shape_signs_alike(shape: str) -> None:
    """PKCS#8 and PKCS#1, armoured or bare: one key, one signature."""
    key = load_rsa_private_key(peer.KEYS["app_private"][shape])

    assert peer.KEYS["probe_signature"] == sign_sha256(key, peer.KEYS["probe"].encode())


@pytest.mark.parametrize("owner", ["app_public", "alipay_public"])
def test_public_key_shapes_are_one_key(owner: str) -> None:
    """An armoured and a bare public key are the same key."""
    shapes = peer.KEYS[owner]

    assert load_rsa_public_key(shapes["spki_pem"]) == load_rsa_public_key(shapes["spki_bare"])


@each("requests")
def test_request_vector_is_signed_byte_for_byte(vector: dict[str, Any]) -> None:
    """The text to sign and the signature are those of three other libraries."""
    assert vector["string_to_sign"] == request_text(vector["params"])
    assert vector["sign"] == sign_request(_APP_KEY, vector["params"])["sign"]


def _sent(vector: dict[str, Any]) -> dict[str, str]:
    raw = vector["raw"]
    if vector["kind"] == "url":
        return peer.query_of(raw)
    if vector["kind"] == "order_string":
        return dict(parse_qsl(raw, keep_blank_values=True))
    if vector["kind"] == "form":
        return peer.query_of(raw["action"]) | dict(raw["inputs"])
    return dict(parse_qsl(raw["query"])) | dict(parse_qsl(raw["body"]))


@each("requests")
def test_request_vector_decodes_to_what_we_would_send(vector: dict[str, Any]) -> None:
    """Our percent-encoding, decoded once, is the captured request, decoded once."""
    ours = query_text(sign_request(_APP_KEY, vector["params"]))

    assert _sent(vector) == dict(parse_qsl(ours, keep_blank_values=True))
    assert vector["biz_content_parsed"] == json.loads(dict(parse_qsl(ours))["biz_content"])


def test_certificate_request_vector_carries_the_serials_of_our_files() -> None:
    """The certificate-mode vector's public parameters are those that the adapter sends."""
    vector = next(one for one in peer.vectors("requests") if one["key_mode"] == "cert")
    sent = peer.provider(**peer.CERTIFICATE_MODE).create(peer.payment("app")).instruction.payload["text"]
    ours = dict(parse_qsl(sent))

    for name in ("app_cert_sn", "alipay_root_cert_sn", "app_id", "charset", "sign_type", "timestamp", "version"):
        assert vector["params"][name] == ours[name]


# --- answers ----------------------------------------------------------------------------------------------------------


def _answer_keys(vector: dict[str, Any]) -> tuple[Any, ...]:
    if vector["key_mode"] != "cert":
        return _PLATFORM_KEYS.keys
    return (read_certificates(peer.pem("alipay_cert.pem"))[0].public_key(),)


@each("responses")
def test_answer_vector_is_sliced_and_judged(vector: dict[str, Any]) -> None:
    """The node is the signed bytes exactly; the signature holds or does not; the members are those of the slice."""
    expect = vector["expect"]
    envelope = open_envelope(base64.b64decode(vector["raw_base64"]), method=vector["method"])
    verdict = (
        "unsigned_error"
        if envelope.signature is None
        else signed_by_any(_answer_keys(vector), envelope.node, envelope.signature)
    )

    assert expect["node"] == envelope.node_name
    if expect["verify"] != "reject" and vector.get("signed_bytes_base64"):
        assert base64.b64decode(vector["signed_bytes_base64"]) == envelope.node
    wanted = {"accept": True, "reject": False, "unsigned_error": "unsigned_error"}
    assert wanted.get(expect["verify"], False) == verdict
    if expect["verify"] in {"accept", "unsigned_error"}:
        members = parse_node(envelope.text)
        told = {name: expect[name] for name in ("code", "sub_code") if name in expect} | expect.get("fields", {})
        assert told == {name: members.get(name) for name in told}


@each("responses")
def test_answer_vector_for_another_method_is_no_answer(vector: dict[str, Any]) -> None:
    """A node of another method is not taken for this one's."""
    raw = base64.b64decode(vector["raw_base64"])
    if vector["expect"]["node"] == "error_response":
        assert open_envelope(raw, method="alipay.trade.pay").node_name == "error_response"
        return
    with pytest.raises(AnswerUnreadable):
        open_envelope(raw, method="alipay.trade.pay")


# --- really signed by Alipay ------------------------------------------------------------------------------------------

_GENUINE = json.loads((peer.VECTORS / "genuine.json").read_text("utf-8"))["items"]


@each("genuine", _GENUINE)
def test_genuine_message_verifies(vector: dict[str, Any]) -> None:
    """What Alipay itself signed verifies by our rules, and no longer after one change."""
    keys = FixedKeys(keys=(load_rsa_public_key(vector["alipay_public_key_bare"]),))
    if vector["kind"] == "response":
        envelope = open_envelope(vector["raw_text"].encode(), method=vector["method"])
        assert envelope.signature is not None
        assert signed_by_any(keys.keys, envelope.node, envelope.signature)
        assert not signed_by_any(keys.keys, envelope.node + b" ", envelope.signature)
        return
    body = query_text(vector["fields"]).encode()
    raw = {name: value.encode() for name, value in vector["fields"].items()}
    assert vector["string_to_sign"].encode() == notify_text(raw, without=("sign", "sign_type"))
    assert vector["fields"]["subject"] == open_notice(body, keys).fields["subject"]
    with pytest.raises(CallbackRefused):
        open_notice(body.replace(b"total_amount=0.10", b"total_amount=0.11"), keys)


# --- browser returns --------------------------------------------------------------------------------------------------


@each("returns")
def test_return_vector_is_judged(vector: dict[str, Any]) -> None:
    """A good return names the payment to query, a tampered one is refused; neither is a report."""
    provider = peer.provider()
    if vector["expect"]["signature"] == "valid":
        assert provider.read_return(vector["query"].encode()) == "RP0001"
        assert "total_amount" in open_return(vector["query"].encode(), _PLATFORM_KEYS)
        return
    with pytest.raises(CallbackRefused):
        provider.read_return(vector["query"].encode())


# --- certificates -----------------------------------------------------------------------------------------------------


@each("cert_sn")
def test_certificate_vector_has_this_serial(vector: dict[str, Any]) -> None:
    """Serials equal those of the JDK, also where other libraries go wrong."""
    text = vector.get("pem") or peer.pem(vector["file"])
    certificates = read_certificates(text)

    if vector["kind"] == "root":
        assert vector["expected_sn"] == root_sn(certificates)
    else:
        assert vector["expected_sn"] == certificate_sn(certificates[0])
    known = {certificate_sn(one): is_rsa_signed(one) for one in certificates}
    for told in vector["certs"]:
        if told["counted"] or told["md5"] in known:
            assert told["counted"] == known[told["md5"]]


# --- v3 and AES -------------------------------------------------------------------------------------------------------


@each("v3")
def test_v3_vector_request_is_signed(vector: dict[str, Any]) -> None:
    """Auth string, signed text and header are those of the vendor's SDK."""
    request = vector["request"]
    told = dict(part.split("=", 1) for part in request["auth_string"].split(","))
    auth = v3.auth_text(app_id=told["app_id"], nonce=told["nonce"], timestamp_ms=int(told["timestamp"]))
    text = v3.request_text(
        auth=auth,
        http_method=request["http_method"],
        target=request["url"],
        body=request["body"],
        app_auth_token=request["headers"].get("alipay-app-auth-token", ""),
    )

    assert request["auth_string"] == auth
    assert request["string_to_sign"] == text
    assert request["authorization"] == v3.authorization(_APP_KEY, auth=auth, text=text)


@each("v3")
def test_v3_vector_answer_is_judged(vector: dict[str, Any]) -> None:
    """A v3 answer is authentic over its headers and raw body, or it is not."""
    response = vector["response"]
    key = _PLATFORM_KEYS.keys[0]

    verdict = v3.answer_is_authentic(key, response["headers"], response["body"].encode())

    assert (response["expect"]["verify"] == "accept") == verdict


@pytest.mark.parametrize("name", ["alipay-timestamp", "alipay-nonce", "alipay-signature"])
@pytest.mark.parametrize("value", [None, "", "\xe9", "\ud800"], ids=["absent", "empty", "latin", "surrogate"])
def test_v3_answer_with_a_damaged_header_is_not_authentic(name: str, value: str | None) -> None:
    """Without each of its three headers a v3 answer proves nothing."""
    response = peer.vectors("v3")[0]["response"]
    damaged = {key: text for key, text in (response["headers"] | {name: value}).items() if text is not None}

    assert not v3.answer_is_authentic(_PLATFORM_KEYS.keys[0], damaged, response["body"].encode())


def test_v3_auth_text_names_the_app_certificate() -> None:
    """In certificate mode app_cert_sn follows app_id."""
    auth = v3.auth_text(app_id="1", nonce="n", timestamp_ms=2, app_cert_sn="ab")

    assert auth == "app_id=1,app_cert_sn=ab,nonce=n,timestamp=2"


@each("aes")
def test_aes_vector_is_encrypted_and_back(vector: dict[str, Any]) -> None:
    """The ciphertext is the vendor's, and it decrypts to the text."""
    key = load_content_key(vector["key_base64"])

    assert vector["ciphertext"] == encrypt_content(key, vector["plaintext"])
    assert vector["plaintext"].encode() == decrypt_content(key, vector["ciphertext"])


# --- the bill ---------------------------------------------------------------------------------------------------------

_BILL = json.loads((peer.VECTORS / "bill.json").read_text("utf-8"))


def _lines() -> list[Any]:
    day = datetime.strptime(_BILL["date"], "%Y-%m-%d").replace(tzinfo=UTC).date()
    bill = Bill(day=day, kind=StatementKind.TRADES, seller_id=_BILL["account"])
    return list(read_bill((peer.VECTORS / _BILL["file"]).read_bytes(), bill))


@pytest.mark.parametrize("index", range(len(_BILL["rows"])))
def test_bill_vector_row_is_read(index: int) -> None:
    """Each row of the bill is a line with its numbers, its amount and its fee."""
    row, line = _BILL["rows"][index], _lines()[index]
    sign = "-" if line.kind is StatementLineKind.REFUND else ""

    assert (row["trade_no"], row["out_trade_no"]) == (line.provider_trade_no, line.out_trade_no)
    assert row["type"] == line.provider_status
    assert row["order_amount"] == sign + yuan_from_fen(line.amount_fen)
    assert row["out_request_no"] == line.out_refund_no
    fee = line.fee_fen_e3
    assert fee is not None
    assert row["service_fee"] == ("-" if fee > 0 else "") + yuan_from_fen(abs(fee) // 1000)


def test_bill_vector_times_and_line_numbers_are_read() -> None:
    """The first row stands in line 6 and was paid at 10:20:41 Beijing time."""
    lines = _lines()

    assert tuple(line.line_no for line in lines) == (6, 7, 8)
    assert datetime(2026, 3, 1, 10, 20, 41, tzinfo=CHINA) == lines[0].occurred_at
    assert len(_BILL["rows"]) == len(lines)


def test_vector_files_are_all_used() -> None:
    """Every JSON file of the vectors has its cases here or beside."""
    names = {path.stem for path in peer.VECTORS.glob("*.json")}

    assert names == {
        "aes", "bill", "cert_sn", "genuine", "keys", "notifies",
        "notify_sequences", "requests", "responses", "returns", "v3",
    }  # fmt: skip


def test_public_pem_files_are_the_pasted_keys() -> None:
    """The PEM files and keys.json tell of the same keys."""
    assert serialization.load_pem_public_key(peer.pem("app_public.pem").encode()) == _APP_KEY.public_key()
    assert load_rsa_private_key(peer.pem("app_private_pkcs1.pem")).public_key() == _APP_KEY.public_key()
