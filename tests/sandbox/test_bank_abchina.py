"""The Agricultural Bank's orders, refunds, statements and notices, and what its own faults make of them."""

import base64
import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from sandbox.bank_abchina import BankAbchinaSimulator
from sandbox.bank_abchina.faults import BankAbchinaFault
from sandbox.bank_abchina.keys import BankAbchinaKeys
from sandbox.bank_abchina.signing import answer_body, genuine, notice_document, read_message, split_envelope
from sandbox.clock import SandboxClock
from sandbox.faults import Fault, FaultBoard
from sandbox.frame import Surroundings
from sandbox.keyring import Keyring
from sandbox.wire import PayRefused
from tests.sandbox.bank_abchina_merchant import NUMBER, PAGE, PATH, REFUND, BankAbchinaMerchant, moment
from tests.sandbox.merchants import NOTIFY_URL, Inbox

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "bank_abchina.json").read_text("utf-8"))


def each(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in CASES[kind]]


@pytest.fixture
def bank(
    keyring: Keyring, clock: SandboxClock, inbox: Inbox, surroundings: Callable[[str], Surroundings]
) -> BankAbchinaMerchant:
    inbox.default = (200, PAGE)
    simulator = BankAbchinaSimulator(keyring.of(BankAbchinaKeys), surroundings("bank_abchina"))
    return BankAbchinaMerchant(keyring, clock, simulator)


def spoil(faults: FaultBoard, fault: str, operation: str) -> None:
    faults.add(fault, provider="bank_abchina", operation=operation, times=1)


# --- the bank's own library -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", each("requests"))
def test_request_of_the_banks_library_is_genuine(case: dict[str, Any]) -> None:
    """Bare and wrapped; the malformed refund is read as well."""
    key = load_pem_public_key(CASES["merchant_public_key"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    for body in (case["envelope"], f'{{"MSG":{case["envelope"]}}}'):
        text, signature = split_envelope(body.encode())

        assert (case["message_text"], case["signature"]) == (text, signature)
        assert genuine(key, text.encode(), signature)
        assert not genuine(key, text.encode() + b" ", signature)
        assert read_message(text)["TrxRequest"]["TrxType"]


def bank_key() -> rsa.RSAPrivateKey:
    key = load_pem_private_key(CASES["bank_private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.mark.parametrize("case", each("answers"))
def test_answer_is_the_vectors_byte_for_byte(case: dict[str, Any]) -> None:
    """GBK, and signed over the GBK bytes of the Message's raw text."""
    assert base64.b64decode(case["body_gbk_base64"]) == answer_body(case["signed_text"], bank_key())


@pytest.mark.parametrize("case", each("notices"))
def test_notice_is_the_vectors_byte_for_byte(case: dict[str, Any]) -> None:
    """Over the gb2312 bytes between the tags."""
    document = base64.b64decode(case["MSG"])
    inner = document.partition(b"<Message>")[2].partition(b"</Message>")[0].decode("gbk")
    signature, head = notice_document(inner, bank_key())

    assert document == head + f"<Signature>{signature}</Signature></MSG>".encode()


# --- orders -----------------------------------------------------------------------------------------------------------


def test_order_gets_an_address_and_is_unpaid(bank: BankAbchinaMerchant) -> None:
    """0000 is not payment."""
    said = bank.ask(bank.order())
    visit = said["PaymentURL"].rpartition("=")[2]

    assert (said["ReturnCode"], said["TrxType"], said["OrderNo"]) == ("0000", "PayReq", NUMBER)
    assert bank.simulator.cashier(visit)["subject"] == "城乡居民医保2026年度"
    assert bank.query()["Status"] == "01"
    assert bank.simulator.books() == {"payments": [], "refunds": []}


@pytest.mark.parametrize("path", [PATH, "/ebus/ReceiveMerchantTrxReqServlet"])
def test_order_is_taken_at_both_addresses_and_in_both_forms(bank: BankAbchinaMerchant, path: str) -> None:
    """The newer address, and the newer {"MSG":…}."""
    bank.wrapped = path != PATH

    assert bank.read(bank.call(bank.envelope(bank.order()), path))["ReturnCode"] == "0000"


def test_order_repeated_has_the_same_address_until_it_is_paid(bank: BankAbchinaMerchant) -> None:
    """Own choice: what the bank does is unknown."""
    request = bank.order()
    first, second = bank.ask(request), bank.ask(request)
    other = bank.ask(bank.order(OrderAmount="380.02"))
    bank.simulator.pay(NUMBER)

    assert first == second
    assert other["ReturnCode"] == "S010"
    assert bank.ask(request)["ReturnCode"] == "S011"
    assert len(bank.simulator.orders()) == 1


def test_order_is_payable_until_its_last_second(bank: BankAbchinaMerchant, clock: SandboxClock) -> None:
    """orderTimeoutDate; the query goes on saying 01."""
    bank.ask(bank.order())
    clock.advance(30 * 60)

    with pytest.raises(PayRefused):
        bank.simulator.pay(NUMBER)
    assert bank.query()["Status"] == "01"
    assert bank.simulator.orders()[0]["state"] == "EXPIRED"


def test_order_paid_twice_is_refused_to_the_payer(bank: BankAbchinaMerchant) -> None:
    """Once is enough."""
    bank.paid()

    with pytest.raises(PayRefused):
        bank.simulator.pay(NUMBER)


def test_query_of_a_paid_order_has_the_banks_number(bank: BankAbchinaMerchant) -> None:
    """And of an unknown one, nothing."""
    reference = bank.paid()
    order = bank.query()

    assert (order["Status"], order["OrderAmount"], order["iRspRef"]) == ("04", "380.01", reference)
    assert bank.query("FY202600000002") == {}
    assert bank.query(kind="PreAuthPay") == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "AAAA"}, "S002"),
        ({"signature": "not base64"}, "S002"),
        ({"merchant_id": "103880000000001"}, "2302"),
        ({"text": "[]"}, "S001"),
        ({"text": '{"Merchant":{"MerchantID":"103999900000001"},"TrxRequest":{"TrxType":"Close"}}'}, "S001"),
    ],
    ids=["signature", "no-base64", "merchant", "no-object", "kind"],
)
def test_request_that_is_not_ours_is_refused(bank: BankAbchinaMerchant, changes: dict[str, str], code: str) -> None:
    """By a signed answer, and nothing is kept."""
    said = bank.read(bank.call(bank.envelope(bank.order(), **changes)))

    assert code == said["ReturnCode"]
    assert bank.simulator.orders() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"<xml/>", b'{"Message":' + b"[" * 9000], ids=range(5))
def test_request_that_is_none_is_refused(bank: BankAbchinaMerchant, body: bytes) -> None:
    """Whatever it is, 8000 bytes are the most."""
    assert bank.read(bank.call(body))["ReturnCode"] == "S001"


@pytest.mark.parametrize(
    "changes", [{"OrderAmount": "380.1"}, {"OrderAmount": "0.00"}, {"orderTimeoutDate": "2026/03/01"}], ids=str
)
def test_order_with_a_malformed_field_is_refused(bank: BankAbchinaMerchant, changes: dict[str, str]) -> None:
    """Two decimals, more than nothing, fourteen digits."""
    assert bank.ask(bank.order(**changes))["ReturnCode"] == "S001"


def test_elsewhere_there_is_nothing(bank: BankAbchinaMerchant) -> None:
    """One address, by POST."""
    assert bank.call(b"", "/ebus/other").status == 404
    assert bank.simulator.answer("GET", PATH, {}, b"").status == 404


# --- refunds ----------------------------------------------------------------------------------------------------------


def test_refund_is_accepted_and_done_later(bank: BankAbchinaMerchant, clock: SandboxClock) -> None:
    """The same NewOrderNo is one refund, however often it is sent."""
    bank.paid()
    codes = [bank.refund("120.01"), bank.refund("120.01"), bank.refund("120.02")]
    under_way = bank.query(REFUND, "Refund")["Status"]
    clock.advance(10)

    assert codes == ["0000", "0000", "S010"]
    assert (under_way, bank.query(REFUND, "Refund")["Status"]) == ("01", "04")
    assert bank.query(REFUND, "Refund")["RefundAmount"] == "120.01"
    assert [entry["amount_fen"] for entry in bank.simulator.books()["refunds"]] == [12001]


def test_refund_of_the_whole_shows_on_the_order(bank: BankAbchinaMerchant, clock: SandboxClock) -> None:
    """05 已退款; beyond it there is nothing to give."""
    bank.paid()
    too_much = bank.refund("380.02")
    bank.refund("380.01")
    clock.advance(10)

    assert too_much == "S021"
    assert bank.query()["Status"] == "05"
    assert bank.refund("0.01", no="RF202600000002") == "S021"


def test_refund_of_an_unpaid_order_is_refused(bank: BankAbchinaMerchant) -> None:
    """No money came."""
    bank.ask(bank.order())

    assert bank.refund("1.00") == "S020"


def test_refund_after_a_year_is_refused(bank: BankAbchinaMerchant, clock: SandboxClock) -> None:
    """Own choice; one accepted before is still the same refund."""
    bank.paid()
    bank.refund("1.00")
    clock.advance(timedelta(days=365, seconds=1).total_seconds())

    assert [bank.refund("1.00"), bank.refund("1.00", no="RF202600000002")] == ["0000", "S022"]


def test_refund_accepted_then_failed_moves_no_money(
    bank: BankAbchinaMerchant, clock: SandboxClock, faults: FaultBoard
) -> None:
    """0000 was acceptance alone; the amount is free again."""
    bank.paid()
    spoil(faults, BankAbchinaFault.REFUND_FAILED_LATER, "refund")
    accepted = bank.refund("380.01")
    clock.advance(10)

    assert accepted == "0000"
    assert bank.query(REFUND, "Refund")["Status"] == "99"
    assert bank.simulator.books()["refunds"] == []
    assert bank.refund("380.01", no="RF202600000002") == "0000"


# --- answers ----------------------------------------------------------------------------------------------------------


def test_answer_unsigned_says_eunkwn_and_the_order_stands(bank: BankAbchinaMerchant, faults: FaultBoard) -> None:
    """It was done; nobody may believe the answer."""
    spoil(faults, BankAbchinaFault.ANSWER_UNSIGNED, "create")
    answer = bank.call(bank.envelope(bank.order()))

    with pytest.raises(InvalidSignature):
        bank.read(answer)
    assert b'"EUNKWN"' in answer.body
    assert b"Signature" not in answer.body
    assert bank.query()["Status"] == "01"


def test_answer_with_a_preamble_still_verifies(bank: BankAbchinaMerchant, faults: FaultBoard) -> None:
    """Text before {"MSG is no part of it."""
    spoil(faults, BankAbchinaFault.ANSWER_PREAMBLE, "create")
    answer = bank.call(bank.envelope(bank.order()))

    assert not answer.body.startswith(b"{")
    assert bank.read(answer)["ReturnCode"] == "0000"


def test_answer_of_a_strange_key_does_not_verify(bank: BankAbchinaMerchant, faults: FaultBoard) -> None:
    """The order stands nevertheless."""
    spoil(faults, Fault.ANSWER_BAD_SIGNATURE, "create")

    with pytest.raises(InvalidSignature):
        bank.ask(bank.order())
    assert bank.query()["Status"] == "01"


def test_answer_to_too_many_requests_did_nothing(bank: BankAbchinaMerchant, faults: FaultBoard) -> None:
    """And is unsigned: the caller cannot know."""
    spoil(faults, Fault.RATE_LIMITED, "create")

    with pytest.raises(InvalidSignature):
        bank.ask(bank.order())
    assert bank.query() == {}


def test_bank_signs_with_an_ended_certificate_and_changes_it(bank: BankAbchinaMerchant) -> None:
    """Both are pinned, so that both verify."""
    pinned = x509.load_pem_x509_certificates(bank.keyring.path("bank_abchina_bank_certificates.pem").read_bytes())
    first = bank.call(bank.envelope(bank.order()))
    changed = bank.simulator.rotate_certificate()
    second = bank.call(bank.envelope(bank.order()))

    assert [1024, 2048] == [certificate.public_key().key_size for certificate in pinned]  # type: ignore[union-attr]
    assert pinned[0].not_valid_after_utc.year == 2023
    assert changed == "renewed"
    assert bank.read(first) == bank.read(second)
    assert first.body != second.body


# --- notices ----------------------------------------------------------------------------------------------------------


def delivered(bank: BankAbchinaMerchant, clock: SandboxClock, inbox: Inbox) -> bytes:
    """The body of the first notice of a payment."""
    bank.paid()
    clock.advance()
    return inbox.received[0][2]


def test_notice_verifies_and_names_the_payment(bank: BankAbchinaMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """To ResultNotifyURL, once it is acknowledged."""
    fields = bank.notice(delivered(bank, clock, inbox))
    clock.advance(86_400)

    assert [url for url, _, _ in inbox.received] == [NOTIFY_URL]
    assert (fields["ReturnCode"], fields["OrderNo"], fields["Amount"]) == ("0000", NUMBER, "380.01")
    assert (fields["HostDate"], fields["HostTime"]) == ("2026/03/01", "10:20:30")
    assert fields["iRspRef"] == bank.query()["iRspRef"]


@pytest.mark.parametrize(
    ("answer", "deliveries"),
    [((200, PAGE), 1), ((200, b"success"), 5), ((503, PAGE), 5), (ConnectionError(), 5)],
    ids=["address", "no-address", "503", "refused"],
)
def test_notice_comes_again_until_a_page_names_an_address(
    bank: BankAbchinaMerchant, clock: SandboxClock, inbox: Inbox, answer: Any, deliveries: int
) -> None:
    """The bank sends the payer's browser there."""
    inbox.answers = [answer] * 5
    bank.paid()
    clock.advance(86_400)

    assert deliveries == len(inbox.received)


@pytest.mark.parametrize("fault", [Fault.CALLBACK_WRONG_KEY, Fault.CALLBACK_BAD_SIGNATURE])
def test_notice_that_is_not_genuine_does_not_verify(
    bank: BankAbchinaMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox, fault: Fault
) -> None:
    """The next delivery is sound."""
    spoil(faults, fault, "payment_callback")
    inbox.answers = [(400, b"")]
    body = delivered(bank, clock, inbox)
    clock.advance(60)

    with pytest.raises(InvalidSignature):
        bank.notice(body)
    assert bank.notice(inbox.received[1][2])["OrderNo"] == NUMBER


def test_notice_of_another_amount_verifies(
    bank: BankAbchinaMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """One fen more."""
    spoil(faults, Fault.CALLBACK_AMOUNT_DIFFERS, "payment_callback")

    assert bank.notice(delivered(bank, clock, inbox))["Amount"] == "380.02"


@pytest.mark.parametrize(
    ("fault", "charset"),
    [(BankAbchinaFault.CALLBACK_OUTSIDE_GB2312, "gb2312"), (BankAbchinaFault.CALLBACK_SIGNED_AS_GBK, "gbk")],
)
def test_notice_with_characters_of_gbk_alone_is_signed_in_the_charset_it_says(
    bank: BankAbchinaMerchant,
    faults: FaultBoard,
    inbox: Inbox,
    fault: BankAbchinaFault,
    charset: str,
) -> None:
    """With a ? for each in gb2312, as the bank's library checks it; as they are in GBK."""
    spoil(faults, fault, "payment_callback")
    body = delivered(bank, bank.clock, inbox)
    fields = bank.notice(body, charset)

    assert "?" in fields["MerchantRemarks"].encode("gb2312", "replace").decode("gb2312")
    with pytest.raises(InvalidSignature):
        bank.notice(body, "gbk" if charset == "gb2312" else "gb2312")


def test_notice_with_a_blank_for_a_plus_is_not_escaped(
    bank: BankAbchinaMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """A form's reader sees a blank there."""
    spoil(faults, BankAbchinaFault.CALLBACK_BLANK_FOR_PLUS, "payment_callback")
    body = delivered(bank, clock, inbox)

    assert b"+" in body
    assert b"%" not in body
    assert bank.notice(body)["OrderNo"] == NUMBER


# --- statements -------------------------------------------------------------------------------------------------------


def test_statement_lists_what_moved_that_day(bank: BankAbchinaMerchant, clock: SandboxClock) -> None:
    """Payments and refunds done, by their own time; plain or in gzip."""
    reference = bank.paid()
    bank.ask(bank.order("FY202600000002"))
    bank.refund("120.01")
    clock.advance(10)
    early = bank.settle("2026/03/01")
    clock.advance(timedelta(days=1).total_seconds())
    plain, packed = bank.settle("2026/03/01"), bank.settle("2026/03/01", "1")
    header, *records = [record.split("|") for record in plain["DetailRecords"].split("^^")]

    assert (early["DetailRecords"], early["ZIPDetailRecords"]) == ("", "")
    assert len(header) == 15
    assert [("Sale", NUMBER, "380.01", ""), ("Refund", REFUND, "-120.01", NUMBER)] == [
        (record[1], record[2], record[4], record[14]) for record in records
    ]
    assert records[0][13] == reference
    assert gzip.decompress(base64.b64decode(packed["ZIPDetailRecords"])).decode("gbk") == plain["DetailRecords"]
    assert packed["DetailRecords"] == ""


def test_statement_of_an_empty_day_has_its_columns_alone(bank: BankAbchinaMerchant, clock: SandboxClock) -> None:
    """It was made, and nothing moved."""
    clock.advance(timedelta(days=1).total_seconds())

    assert bank.settle("2026/03/01")["DetailRecords"].count("^^") == 0
    assert bank.settle("2026/03/01")["DetailRecords"].startswith("商户号|")
    assert bank.settle("yesterday")["ReturnCode"] == "S001"


def test_order_book_is_bounded(bank: BankAbchinaMerchant) -> None:
    """The sixth order of five is not taken, and its outcome is not known."""
    codes = [bank.ask(bank.order(f"FY20260000000{number}"))["ReturnCode"] for number in range(6)]

    assert codes == ["0000"] * 5 + ["EUNKWN"]
    assert moment(bank.clock.now()) == "20260301102030"
