"""Every published test value of every vector file, through the adapter's own code."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.kit.http import HttpAnswer, wire_target
from adapters.kit.keys import load_rsa_private_key, load_rsa_public_key
from adapters.wechatpay.certificates import read_certificates
from adapters.wechatpay.config import load_apiv3_key
from adapters.wechatpay.sealing import seal_field
from adapters.wechatpay.serials import normal_serial
from adapters.wechatpay.signing import (
    NotAuthentic,
    app_parameters,
    authorization,
    jsapi_parameters,
    mini_program_parameters,
    verify_message,
)
from adapters.wechatpay.statement import read_lines, read_rows, read_ticket
from gateway.domain.provider import CallbackRefused, NoVerdict, RawCallback
from gateway.domain.report import ReportedState
from gateway.domain.statement import StatementKind, StatementUnreadable
from tests.adapters.wechatpay import peer

MERCHANT_KEY = load_rsa_private_key(peer.pem("merchant_private_key.pem"))
STAGES = {
    "headers": "headers",
    "timestamp": "stale",
    "serial": "unknown_key",
    "signature": "signature",
    "decrypt": "decrypt",
}


def each(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in peer.vector_cases(name)])


def instant(case: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(case["now"], UTC)


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def parameters_of(header: str) -> dict[str, str]:
    kind, rest = header.split(" ", 1)
    return {"": kind} | {name: value.strip('"') for name, value in (part.split("=", 1) for part in rest.split(","))}


@each("authorization")
def test_authorization_of_vector_equals_the_published_signature(case: dict[str, Any]) -> None:
    """The same request gives the same Authorization header as other implementations."""
    header = authorization(
        MERCHANT_KEY,
        mchid=case["mchid"],
        serial_no=case["serial_no"],
        method=case["method"],
        target=case["canonical_url"],
        timestamp=case["timestamp"],
        nonce=case["nonce_str"],
        body=case["body"].encode(),
    )

    assert parameters_of(case["authorization"]) == parameters_of(header)
    assert case["signature"] == parameters_of(header)["signature"]
    assert case["canonical_url"] == wire_target(case["url"])
    assert case["body_sha256"] == hashlib.sha256(case["body"].encode()).hexdigest()


@each("client_pay_params")
def test_client_parameters_of_vector_equal_the_published_ones(case: dict[str, Any]) -> None:
    """The cashier gets exactly these names and values."""
    told: dict[str, Any] = {
        "appid": case["appid_signed"],
        "prepay_id": case["prepay_id"],
        "timestamp": case["timestamp"],
        "nonce": case["nonce_str"],
    }
    made = {
        "jsapi": lambda: jsapi_parameters(MERCHANT_KEY, **told),
        "miniprogram": lambda: mini_program_parameters(MERCHANT_KEY, **told),
        "app": lambda: app_parameters(MERCHANT_KEY, partner_id=case["params"].get("partnerid", ""), **told),
    }[case["kind"]]()

    assert case["params"] == made


@each("client_pay_params")
def test_create_for_vector_gives_its_client_parameters(case: dict[str, Any]) -> None:
    """Direct and partner accounts hand the right appid and partner number to the cashier."""
    partner = peer.PARTNER if case["id"].startswith("partner") else {}
    clock = peer.FixedClock(datetime.fromtimestamp(case["timestamp"], UTC))
    method = case["kind"].replace("miniprogram", "mini_program")
    body = peer.compact({"prepay_id": case["prepay_id"]})
    with responses.RequestsMock() as mock:
        mode = "partner/" if partner else ""
        wire_method = method.replace("mini_program", "jsapi")
        mock.post(
            f"{peer.BASE_URL}/v3/pay/{mode}transactions/{wire_method}",
            body=body,
            headers=peer.signature_headers(body, signed_at=clock.now()),
        )
        answer = peer.provider(clock, **partner).create(peer.payment(method))

    assert case["params"] == answer.instruction.payload


@each("callbacks")
def test_callback_of_vector_is_judged_at_its_stage(case: dict[str, Any]) -> None:
    """Genuine ones give a report, every other is refused where the vector says."""
    partner = peer.PARTNER if "sp_mchid" in case["expect"].get("plaintext", {}) else {}
    raw = RawCallback(headers=lowered(case["headers"]), body=case["body"].encode(), received_at=instant(case))
    provider = peer.provider(peer.FixedClock(instant(case)), certificate_download="off", **partner)
    assert case["body_sha256"] == hashlib.sha256(raw.body).hexdigest()

    if case["expect"]["crypto"] == "reject":
        with pytest.raises(CallbackRefused) as refused:
            provider.parse_callback(raw)
        assert STAGES[case["expect"]["reject_stage"]] == refused.value.reason
        return
    plain, report = case["expect"]["plaintext"], provider.parse_callback(raw).report
    assert report is not None
    assert (plain["out_trade_no"], plain["transaction_id"]) == (report.out_trade_no, report.provider_trade_no)
    assert plain["amount"]["total"] == report.amount_fen
    assert report.state is ReportedState.PAID
    assert (("mchid",) if case["expect"]["business"] == "refuse_mchid_mismatch" else ()) == report.contradictions
    assert plain.get("out_refund_no") == (report.refund.out_refund_no if report.refund else None)


@each("responses")
def test_answer_of_vector_is_judged_as_published(case: dict[str, Any]) -> None:
    """A 2xx is proven by its signature or refused."""
    keys = peer.provider()._client.keys  # type: ignore[attr-defined]
    headers, body = lowered(case["headers"]), case["body"].encode()
    accepted = True
    try:
        verify_message(headers, body, now=instant(case), find_key=keys.find)
    except NotAuthentic:
        accepted = False

    assert (case["expect"] == "accept") == accepted


@each("responses")
def test_call_answered_by_vector_gives_an_answer_or_no_verdict(case: dict[str, Any]) -> None:
    """The same through whole operations: what is not proven leaves the payment unknown."""
    provider = peer.provider(peer.FixedClock(instant(case)))
    with responses.RequestsMock() as mock:
        told: dict[str, Any] = {"body": case["body"], "status": case["status"], "headers": case["headers"]}
        if case["status"] == 204:
            mock.post(f"{peer.BASE_URL}/v3/pay/transactions/out-trade-no/{peer.NUMBER}/close", **told)
        else:
            method = "jsapi" if "prepay_id" in case["body"] else "native"
            mock.post(f"{peer.BASE_URL}/v3/pay/transactions/{method}", **told)
        if case["expect"] == "reject":
            with pytest.raises(NoVerdict):
                provider.create(peer.payment("native"))
        elif case["status"] == 204:
            assert provider.close(peer.payment_ref()).report.state is ReportedState.UNKNOWN
        else:
            assert provider.create(peer.payment(method)).report.state is ReportedState.PENDING


@each("certificates_download")
def test_certificates_of_vector_are_read_or_refused(case: dict[str, Any]) -> None:
    """From an empty store: decrypt, then verify with the certificate that the answer names."""
    answer = HttpAnswer(status=case["status"], headers=lowered(case["headers"]), content=case["body"].encode())

    def read() -> Any:
        return read_certificates(
            answer,
            apiv3_keys=(load_apiv3_key(peer.CONFIG["apiv3_key"]),),
            merchant_serial_no=peer.CONFIG["merchant_serial_no"],
            now=instant(case),
            find_known=lambda _serial: None,
        )

    if case["expect"]["result"] != "accept":
        with pytest.raises(ValueError, match="certificates"):
            read()
        return
    found = [
        (normal_serial(f"{each_one.serial_number:X}"), each_one.fingerprint(hashes.SHA256()).hex().upper())
        for each_one in read()
    ]
    wanted = [(normal_serial(w["serial_no"]), w["sha256_fingerprint"]) for w in case["expect"]["certificates"]]
    assert wanted == found


@each("sensitive_fields")
def test_sealed_field_of_vector_opens_to_its_text(case: dict[str, Any]) -> None:
    """Both the published ciphertext and our own open with the other side's private key."""
    key = serialization.load_pem_private_key(peer.pem(case["decrypt_with"]).encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
    ours = seal_field(load_rsa_public_key(peer.pem(case["encrypted_with"])), case["plaintext"])

    assert case["plaintext"] == key.decrypt(base64.b64decode(case["ciphertext"]), oaep).decode()
    assert case["plaintext"] == key.decrypt(base64.b64decode(ours), oaep).decode()


@each("bills")
def test_bill_of_vector_is_read_or_refused(case: dict[str, Any]) -> None:
    """Digest over the unpacked bytes, then rows by column name."""
    content = base64.b64decode(case["file_base64"])
    ticket = read_ticket(case["answer"])
    kind = StatementKind.FUNDS if case["kind"] == "fund" else StatementKind.TRADES

    if case["expect"]["result"] == "reject":
        with pytest.raises(StatementUnreadable, match="SHA-1"):
            read_lines(content, ticket.sha1_hex, kind)
        return
    assert case["gzip"] == content.startswith(b"\x1f\x8b")
    assert case["expect"]["rows"] == [row for _, row in read_rows(content)]
    assert len(case["expect"]["rows"]) == len(list(read_lines(content, ticket.sha1_hex, kind)))
    assert wire_target(case["answer"]["download_url"]) == ticket.target


def test_vector_files_are_all_run() -> None:
    """A new vector file needs a test here."""
    names = {path.stem for path in peer.VECTORS.glob("*.json")} - {"config"}

    assert names == {
        "authorization",
        "client_pay_params",
        "callbacks",
        "responses",
        "certificates_download",
        "sensitive_fields",
        "bills",
    }
