"""Who is let in, what is read, and what is answered, byte for byte."""

import base64
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from adapters.bank.abchina_ebpp.answers import bank_amount
from adapters.kit.config import SettingsInvalid
from gateway.domain.biller import (
    Bill,
    BillerReason,
    BillerRefused,
    BillPage,
    BillQuestion,
    BillState,
    PaymentNotice,
    PaymentReceipt,
)
from gateway.domain.biller_front import BillerFront, BillerRequest, DayFileRefused, NotAdmitted
from gateway.domain.clock import CHINA
from gateway.domain.secret import Secret
from tests.adapters.bank_abchina_ebpp import peer
from tests.adapters.bank_bbp import peer as bbp

VECTORS = peer.vectors()
ANSWERED = [vector for vector in VECTORS if "answer_base64" in vector]


def _bill(**changes: Any) -> Bill:
    members: dict[str, Any] = {
        "bill_no": peer.BILL_NO,
        "name": "张三",
        "region": "341200",
        "insured_year": 2027,
        "insurance_kind": "resident_medical",
        "amount_fen": 40000,
        "state": BillState.UNPAID,
        "opened_at": datetime(2026, 9, 1, tzinfo=CHINA),
        "expires_at": datetime(2027, 2, 28, 23, 59, 59, tzinfo=CHINA),
        "reason": None,
        "version": "1",
    }
    return Bill(**members | changes)


def _answer(request: BillerRequest, outcome: Any) -> Any:
    front = peer.front()
    return front.answer(front.admit(request), outcome, answer_no="1")


def _content(request: BillerRequest, *bills: Bill) -> str:
    return peer.opened(_answer(request, BillPage(total=len(bills), bills=bills)).body)


# --- vectors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_question_is_admitted_only_when_its_signature_is_good(vector: dict[str, Any]) -> None:
    """The verdict of the vendor's SDK; what is admitted says what the sample says."""
    front, request = peer.front(), peer.posted(vector["form"]["MSG"].encode())
    if not vector["verified"]:
        with pytest.raises(NotAdmitted) as refused:
            front.admit(request)
        assert refused.value.reason is BillerReason.SIGNATURE
        return
    fields = vector["fields"]

    assert front.read(front.admit(request)) == BillQuestion(
        biller_id=fields["BillerNo"],
        id_type="resident_id",
        id_number=fields["PayerValue1"],
        insured_year=int(fields["VerifyDomain"][0]),
        name=fields["PayerValue2"] or None,
    )


@pytest.mark.parametrize("vector", ANSWERED, ids=[vector["id"] for vector in ANSWERED])
def test_answer_is_the_vendors_byte_for_byte(vector: dict[str, Any]) -> None:
    """Signed in UTF-8, written in GBK, sent in base64."""
    request = peer.posted(vector["form"]["MSG"].encode())
    answer = _answer(request, BillPage(total=1, bills=(_bill(bill_no=vector["answer_input"]["BillNo"]),)))

    assert base64.b64decode(answer.body).decode("gbk") == vector["answer_text"]
    assert answer.body.decode() == vector["answer_base64"]
    assert peer.opened(answer.body) == vector["answer_signed_text"]
    assert (answer.status, answer.code) == (200, "done")


# --- admission --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [peer.asked(), peer.told()], ids=["question", "payment"])
def test_every_flipped_byte_is_refused_or_changes_nothing(request_: BillerRequest) -> None:
    """What is not signed (the declaration, how the form is escaped) may differ; what is read may not."""
    front = peer.front()
    genuine = front.read(front.admit(request_))
    for at in range(len(request_.body)):
        body = bytearray(request_.body)
        body[at] ^= 1
        try:
            admitted = front.admit(replace(request_, body=bytes(body)))
        except NotAdmitted:
            continue
        assert front.read(admitted) == genuine


@pytest.mark.parametrize(
    "body",
    [b"", b"MSG=", b"MSG=%FF", b"MSG=<", b"MSG=PE1TRz4=", b"msg=x", b"MSG=x&MSG=y", b"\xff", b"MSG=" + b"A" * 70000],
    ids=range(9),
)
def test_junk_is_refused(body: bytes) -> None:
    with pytest.raises(NotAdmitted):
        peer.front().admit(BillerRequest(path=peer.PATH, headers={}, body=body, received_at=peer.NOW))


def test_message_of_another_key_is_refused_and_of_a_second_bank_key_taken() -> None:
    """The bank's own certificates are pinned; our merchant key is none of them."""
    request = peer.told(signer="abc_merchant_private.pem")
    with pytest.raises(NotAdmitted):
        peer.front().admit(request)
    both = peer.key_file("abc_merchant_cert.pem") + peer.key_file("abc_bank_cert.pem")
    other_key = Secret(bbp.key_file("foreign_rsa_private.pem"))
    front = peer.front(bank_certificates=Secret(both), sign_private_key=other_key)

    for signed in (peer.told(), request):
        front.admit(signed)


def test_address_names_the_account() -> None:
    """Messages do not: two merchants at the bank have two addresses."""
    front = peer.front()

    assert isinstance(front, BillerFront)
    assert (front.speaks(peer.PATH), front.speaks(peer.PATH + "2"), front.body_bytes_max(peer.PATH)) == (
        True,
        False,
        65536,
    )
    assert front.is_addressed(peer.told())


def test_blanks_for_plus_signs_are_restored() -> None:
    """Posts that were not escaped. Source: sheet section 9, no. 20."""
    request = peer.told()
    raw = request.body.replace(b"%2B", b"+").replace(b"%2F", b"/").replace(b"%3D", b"=")
    assert b"+" in raw

    for body in (raw, raw.replace(b"+", b" ")):
        peer.front().admit(replace(request, body=body))


# --- payments ---------------------------------------------------------------------------------------------------------


def test_payment_is_read_as_the_sheet_maps_it() -> None:
    """The serial is the bank's bill id, the bill is ProductID, the day is the host's."""
    front = peer.front()
    admitted = front.admit(peer.told())

    assert admitted.tells_of_money
    assert admitted.nonce is None
    assert front.read(admitted) == PaymentNotice(
        biller_id=peer.MERCHANT,
        bank_date=date(2026, 11, 21),
        bank_seq="EBPP20261121000001",
        occurred_at=datetime(2026, 11, 21, 10, 1, 1, tzinfo=CHINA),
        bill_no=peer.BILL_NO,
        amount_fen=38001,
        channel="app",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ReturnCode": "2302"}, BillerReason.CALL),
        ({"MerchantID": "103880000000002"}, BillerReason.FORMAT),
        ({"Amount": "380.001"}, BillerReason.FORMAT),
        ({"Amount": "3.8E2"}, BillerReason.FORMAT),
        ({"Amount": "-380.01"}, BillerReason.FORMAT),
        ({"Amount": "0.00"}, BillerReason.AMOUNT_FORM),
        ({"Amount": "1000000.00"}, BillerReason.AMOUNT_FORM),
        ({"HostDate": "2026/02/30"}, BillerReason.FORMAT),
        ({"HostDate": "20261121"}, BillerReason.FORMAT),
        ({"HostTime": "25:00:00"}, BillerReason.FORMAT),
        ({"HostTime": ""}, BillerReason.FORMAT),
        ({"OrderNo": ""}, BillerReason.FORMAT),
        ({"OrderNo": "a b"}, BillerReason.FORMAT),
        ({"ProductID": ""}, BillerReason.FORMAT),
        ({"ProductID": "<x>"}, BillerReason.FORMAT),
    ],
    ids=str,
)
def test_payment_of_another_form_is_refused(changes: dict[str, str], reason: BillerReason) -> None:
    front = peer.front()
    with pytest.raises(BillerRefused) as refused:
        front.read(front.admit(peer.told(**changes)))

    assert refused.value.reason is reason


def test_notify_of_an_ordinary_payment_is_no_payment_of_a_bill() -> None:
    """The same bank key signs those of orders that we started: without ProductID nothing is read."""
    inner = peer.payment_inner().replace(f"<ProductID>{peer.BILL_NO}</ProductID>", "")
    front = peer.front()
    with pytest.raises(BillerRefused):
        front.read(front.admit(peer.posted(base64.b64encode(peer.document(inner)))))


PAGE = b"<URL>https://pay.example.cn/done</URL>\n"
RECEIPT = PaymentReceipt(order_id="ord_1", bill_no="1", receipt_no="1", accepted_at=peer.NOW, is_duplicate=False)


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (RECEIPT, 200, PAGE),
        (BillerReason.ALREADY_PAID, 200, PAGE),
        (BillerReason.FORMAT, 200, PAGE),
        (BillerReason.BUSY, 503, b""),
        (BillerReason.UNDECIDED, 503, b""),
    ],
    ids=["taken", "kept-for-a-person", "unreadable-kept", "busy", "undecided"],
)
def test_payment_is_acknowledged_only_when_it_is_durable(outcome: Any, status: int, body: bytes) -> None:
    answer = _answer(peer.told(), outcome)

    assert (answer.status, answer.body) == (status, body)


# --- questions --------------------------------------------------------------------------------------------------------


def test_question_asks_for_unpaid_bills_paid_ones_or_both() -> None:
    """PayStatus chooses; a closed bill is never shown."""
    bills = (
        _bill(bill_no="1"),
        _bill(bill_no="2", state=BillState.PAID, reason=BillerReason.ALREADY_PAID),
        _bill(bill_no="3", state=BillState.CLOSED, reason=BillerReason.BILL_CLOSED),
    )
    shown = {
        status: [no for no in "123" if f"<BillNo>{no}</BillNo>" in _content(peer.asked(status=status), *bills)]
        for status in ("1", "2", "")
    }

    assert shown == {"1": ["1"], "2": ["2"], "": ["1", "2"]}


def test_several_bills_are_several_blocks() -> None:
    content = _content(peer.asked(), _bill(bill_no="1"), _bill(bill_no="2", region="340100"))

    assert content.count("<EBppData><Result>true</Result>") == 2
    assert content.count("<BillAttrName>阜阳市</BillAttrName>") == 1


@pytest.mark.parametrize("outcome", [BillPage(total=0, bills=()), BillerReason.NO_PERSON, BillerReason.FORMAT], ids=str)
def test_question_without_a_bill_is_answered_false(outcome: Any) -> None:
    """Whether there is such a person shows in nothing."""
    content = peer.opened(_answer(peer.asked(), outcome).body)

    assert content == (
        f"<EBppData><Result>false</Result><BillerNo>{peer.MERCHANT}</BillerNo><BillData></BillData></EBppData>"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": "123"}, BillerReason.FORMAT),
        ({"number": ""}, BillerReason.FORMAT),
        ({"year": "27"}, BillerReason.FORMAT),
        ({"BillerNo": "103880000000002"}, BillerReason.FORMAT),
        ({"kind": "QRequest2"}, BillerReason.FORMAT),
    ],
    ids=str,
)
def test_question_of_another_form_is_refused(changes: dict[str, str], reason: BillerReason) -> None:
    front = peer.front()
    with pytest.raises(BillerRefused) as refused:
        front.read(front.admit(peer.asked(**changes)))

    assert refused.value.reason is reason


def test_name_that_gbk_cannot_write_or_that_is_markup_stays_verifiable() -> None:
    """The signed text is the one that is sent: what cannot be written is a question mark in both."""
    assert "<BillName>医保?</BillName>" in _content_named("医保😀")
    assert "<PayerValue2>a?b?/c?</PayerValue2>" in _content(peer.asked(name="a<b>/c&"), _bill())


def _content_named(bill_name: str) -> str:
    front = peer.front(bill_name=bill_name)
    page = BillPage(total=1, bills=(_bill(),))
    return peer.opened(front.answer(front.admit(peer.asked()), page, answer_no="1").body)


@pytest.mark.parametrize(
    ("amount_fen", "text"), [(40000, "400.0"), (38050, "380.5"), (38001, "380.01"), (5, "0.05"), (100, "1.0")]
)
def test_amount_is_written_as_the_vendors_sdk_writes_it(amount_fen: int, text: str) -> None:
    assert bank_amount(amount_fen) == text


def test_asked_person_is_not_shown_by_repr() -> None:
    front = peer.front()
    admitted = front.admit(peer.asked(name="张三"))

    assert "341200199001010001" not in repr(admitted)
    assert "张三" not in repr(admitted) + repr(front.read(admitted))


# --- settings ---------------------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "merchant": ({"merchant_id": "1"}, "merchant_id: does not match"),
    "billers": ({"billers": {"103880000000002": ["340100"]}}, "billers: must have one entry, the merchant_id"),
    "own-key": (
        {"bank_certificates": Secret(peer.key_file("abc_merchant_cert.pem"))},
        "bank_certificates: holds our own key",
    ),
    "no-bank": ({"bank_certificates": None}, "bank_certificates: is missing"),
    "no-key": ({"sign_private_key": None}, "sign_private_key: is missing"),
    "result": ({"result_url": "http://x.example"}, "result_url: does not match"),
    "name": ({"bill_name": "<b>"}, "bill_name: does not match"),
    "unknown": ({"base_url": "https://x.example"}, "base_url: is not a setting of this provider"),
}


@pytest.mark.parametrize(("changes", "fault"), FAULTS.values(), ids=FAULTS)
def test_fault_is_told_with_its_key(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        peer.front(**changes)

    assert any(told.startswith(f"accounts.{peer.ACCOUNT}.{fault}") for told in raised.value.faults)


def test_key_may_come_as_pfx_whose_certificate_has_an_end() -> None:
    pfx = base64.b64encode((peer.KEYS / "abc_merchant.pfx").read_bytes()).decode()
    front = peer.front(sign_private_key=None, sign_pfx=Secret(pfx), sign_pfx_password=Secret("test1234"))

    assert list(front.key_expiries()) == ["sign_pfx"]


def test_refused_payments_are_kept_for_a_person() -> None:
    """The bank does not give the money back on our word."""
    assert not peer.front().institution.refunds_refused
    with pytest.raises(DayFileRefused):
        peer.front().day_lines(b"")


def test_payment_whose_remark_looks_like_a_question_is_still_a_payment() -> None:
    """The payer's words in it must not make the money disappear."""
    admitted = peer.front().admit(peer.told(MerchantRemarks="<MessageType>QRequest</MessageType>"))

    assert admitted.tells_of_money
    assert isinstance(peer.front().read(admitted), PaymentNotice)
