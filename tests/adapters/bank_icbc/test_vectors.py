"""Every vector of ICBC, made with the bank's own jar: what we sign and send, what we believe, what we answer."""

import json
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest

from adapters.bank.icbc.messages import Malformed, code_of, read_content, split_answer
from adapters.bank.icbc.signing import is_from_bank, load_bank_key, sign, sign_string
from adapters.bank.icbc.wire import URL_NAMES
from adapters.kit.aes import decrypt_content, encrypt_content, load_content_key
from adapters.kit.keys import load_rsa_private_key
from gateway.domain.provider import CallbackRefused, NoVerdict, Verdict
from gateway.domain.report import ReportedState
from tests.adapters.bank_icbc import peer
from tests.conformance.case import WireAnswer
from tests.conformance.network import playing

REQUESTS: Final = peer.vector("icbc_request")["cases"]
RESPONSES: Final = peer.vector("icbc_response")["cases"]
NOTIFIES: Final = peer.vector("icbc_notify")["cases"]
ANSWERS: Final = peer.vector("icbc_notify")["answers"]
SIGNED_PATH: Final = "/api/v1/callbacks/bank/icbc"
APP_KEY: Final = load_rsa_private_key(peer.text("icbc_app_private.pem"))
BANK_KEY: Final = load_bank_key(peer.text("icbc_gateway_public.pem"))
CONTENT_KEY: Final = load_content_key(peer.text("icbc_aes_key.b64"))

each_request = pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in REQUESTS])
each_response = pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RESPONSES])
each_notify = pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in NOTIFIES])
each_answer = pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in ANSWERS])


# --- requests ---------------------------------------------------------------------------------------------------------


@each_request
def test_request_of_vector_signs_the_same_text(case: dict[str, Any]) -> None:
    """Path, sorted names, raw values, no empty ones: byte for byte, and so is the signature."""
    path, params = urlsplit(case["service_url"]).path, case["params"]
    text = sign_string(path, params)

    assert case["string_to_sign"].encode() == text
    assert case["sign"] == sign(APP_KEY, text, params["sign_type"])


@each_request
def test_request_of_vector_seals_the_same_content(case: dict[str, Any]) -> None:
    """What is encrypted decrypts to the plain content, and back to the very ciphertext."""
    sent, plain = case["params"]["biz_content"], case["biz_content_plain"]
    if case["params"].get("encrypt_type") != "AES":
        assert plain == sent
        return

    assert plain.encode() == decrypt_content(CONTENT_KEY, sent)
    assert sent == encrypt_content(CONTENT_KEY, plain)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in REQUESTS if "ui" in case])
def test_cashier_call_of_vector_splits_alike(case: dict[str, Any]) -> None:
    """The common parameters stand in the URL, the rest is posted."""
    in_url = sorted(name for name in (*case["params"], "sign") if name in URL_NAMES)
    in_form = [name for name in case["params"] if name not in URL_NAMES]

    assert case["ui"] == {"query_string_params": in_url, "form_body_params": in_form}


# --- answers ----------------------------------------------------------------------------------------------------------


@each_response
def test_answer_of_vector_is_verified_or_not(case: dict[str, Any]) -> None:
    """Over the raw text, quotes of an encrypted one included, with SHA-1."""
    answer = split_answer(case["body"].encode())

    assert case["signed_text"].encode() == answer.content
    assert case["verified"] is is_from_bank([BANK_KEY], answer.content, answer.signature)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RESPONSES if case["verified"]])
def test_answer_of_vector_is_read(case: dict[str, Any]) -> None:
    """Every member that the jar reads is the same here."""
    members = read_content(split_answer(case["body"].encode()).content, CONTENT_KEY)
    named = {name: members.get(name) for name in ("return_msg", "out_trade_no", "pay_status", "total_amt")}
    code = code_of(members)

    assert {name: case[name] for name in named} == named
    assert case["return_code"] == code
    assert case["outcome"] == ("ok" if code == 0 else "business_error" if code > 0 else "unknown_query")


QUERIED: Final = {
    "ok-query-paid": ReportedState.PAID,
    "ok-string-code": ReportedState.PAID,
    "ok-encrypted": ReportedState.PAID,
    "ok-business-error": ReportedState.NOT_FOUND,
    "ok-key-order-and-blanks": ReportedState.UNKNOWN,
}
"""What the vectors mean as the answer to a query; all others are no verdict."""


@each_response
def test_answer_of_vector_means_what_is_proven(case: dict[str, Any]) -> None:
    """Only a verified answer with code 0 tells of a payment; doubt and forgery are no verdict."""
    provider = peer.provider(**peer.encrypting())
    question = peer.ref(out_trade_no=case["out_trade_no"] or "JM2026I01000001", amount_fen=40000)
    reply = WireAnswer(status=200, headers={}, body=case["body"].encode())
    with playing(reply):
        if case["id"] not in QUERIED:
            with pytest.raises(NoVerdict):
                provider.query(question)
            return
        answered = provider.query(question)

    assert QUERIED[case["id"]] is answered.report.state
    assert case["body"].encode() == answered.raw


def test_signature_in_another_base64_text_is_none() -> None:
    """The last digit has bits that mean nothing: only one text is the signature's."""
    answer = split_answer(RESPONSES[0]["body"].encode())
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = answer.signature[-2]
    twin = answer.signature[:-2] + digits[digits.index(last) ^ 1] + "="

    assert is_from_bank([BANK_KEY], answer.content, answer.signature)
    assert not is_from_bank([BANK_KEY], answer.content, twin)


# --- notifies ---------------------------------------------------------------------------------------------------------


def delivered(case: dict[str, Any]) -> Any:
    return peer.callback(urlencode(case["form"]).encode())


@each_notify
def test_notify_of_vector_is_verified_or_not(case: dict[str, Any]) -> None:
    """Over the form-decoded values of all posted fields and the path that arrived, which must be the registered one."""
    provider = peer.provider(**peer.encrypting(notify_sign_path=case["path"]))
    if not case["valid"]:
        with pytest.raises(CallbackRefused) as refused:
            provider.parse_callback(delivered(case))
        assert refused.value.reason == "signature"
        return
    report = provider.parse_callback(delivered(case)).report
    plain = json.loads(case["biz_content_plain"])

    assert report is not None
    assert (plain["out_trade_no"], int(plain["total_amt"])) == (report.out_trade_no, report.amount_fen)
    assert (plain["return_code"] == "0") is (report.state is ReportedState.PAID)
    assert report.contradictions == ()


@each_notify
def test_notify_of_vector_signs_the_same_text(case: dict[str, Any]) -> None:
    """Empty fields are left out, values are raw."""
    assert case["string_to_verify"].encode() == sign_string(case["path"], case["form"])


def test_notify_through_a_stripping_proxy_is_proven_by_the_registered_path() -> None:
    """The path that reached us is not the path that was signed; the configured one is what counts."""
    case = next(case for case in NOTIFIES if case["id"] == "bad-path-stripped-by-proxy")

    assert peer.provider(notify_sign_path=SIGNED_PATH).parse_callback(delivered(case)).report


@each_answer
def test_acknowledgement_of_vector_is_the_same(case: dict[str, Any]) -> None:
    """Our answer, byte for byte, with the app's registered sign_type."""
    provider = peer.provider(sign_type=case["sign_type"])
    verdict = Verdict.REFUSED if "refuse" in case["id"] else Verdict.ACCEPTED
    msg_id = "n01002" if case["sign_type"] == "RSA" else "n01001"
    told = provider.acknowledge(verdict, peer.notify(peer.paid(msg_id=msg_id)))

    assert case["signed_text"] in case["body"]
    assert case["body"].encode() == told.body


def test_every_answer_that_is_cut_anywhere_is_no_answer() -> None:
    """Half an answer proves nothing and breaks nothing."""
    whole = RESPONSES[0]["body"].encode()
    for end in range(len(whole)):
        with pytest.raises(Malformed):
            split_answer(whole[:end])
