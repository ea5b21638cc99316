"""UnionPay notices, the front return, refunds and undos, and the settlement file."""

import base64
import io
import zipfile
import zlib
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature

from sandbox.clock import SandboxClock
from sandbox.faults import FaultBoard
from tests.sandbox.merchants import NOTIFY_URL, Inbox
from tests.sandbox.test_unionpay_vectors import CASES, LINES
from tests.sandbox.unionpay_merchant import FRONT_URL, NUMBER, UnionpayMerchant, Untrusted, moment

SHAPES = {case["name"]: case["names"] for case in CASES["notices"]}
ANSWERS = {case["name"]: set(case["parsed_fields"]) for case in CASES["responses"]}
REFUND = "RF202600000001"


def test_payment_notice_verifies_and_has_the_vectors_fields(
    unionpay: UnionpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """At once, to backUrl, with the payment's own numbers."""
    query_id = unionpay.paid()
    clock.advance()
    url, headers, body = inbox.received[0]
    fields = unionpay.notice(body)

    assert url == NOTIFY_URL
    assert headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert sorted(fields) == SHAPES["success"]
    assert (fields["orderId"], fields["txnTime"], fields["queryId"]) == (NUMBER, moment(clock.now()), query_id)
    assert (fields["respCode"], fields["txnAmt"], fields["settleAmt"]) == ("00", "38001", "38001")


def test_notice_to_a_gbk_merchant_is_gbk(unionpay: UnionpayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """Form, signed text and charset, with reqReserved as it was sent."""
    unionpay.encoding = "GBK"
    unionpay.paid(reqReserved="合肥市包河区")
    clock.advance()
    _, headers, body = inbox.received[0]
    fields = unionpay.notice(body, "gbk")

    assert headers["Content-Type"] == "application/x-www-form-urlencoded; charset=GBK"
    assert sorted(fields) == SHAPES["gbk_success"]
    assert fields["reqReserved"] == "合肥市包河区"


def test_notice_certificate_has_crlf_and_no_end(unionpay: UnionpayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """As real messages carry it."""
    unionpay.paid()
    clock.advance()
    text = unionpay.notice(inbox.received[0][2])["signPubKeyCert"]

    assert text.startswith("-----BEGIN CERTIFICATE-----\r\n")
    assert text.endswith("\r\n-----END CERTIFICATE-----")
    assert text.count("\n") == text.count("\r\n")


def test_notice_is_sent_five_times_by_the_schedule(
    unionpay: UnionpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """Gaps of 0, 1, 2 and 4 minutes; then nothing more comes."""
    inbox.default = (500, b"ok")
    unionpay.paid()
    clock.advance(10 * 86_400)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(inbox.times, inbox.times[1:], strict=False)]

    assert gaps == [0, 60, 120, 240]
    assert len({unionpay.notice(body)["queryId"] for _, _, body in inbox.received}) == 1


@pytest.mark.parametrize(
    ("answer", "deliveries"),
    [((200, b""), 1), ((302, b"anything"), 1), ((204, b"ok"), 2), ((404, b"ok"), 2), (ConnectionError(), 2)],
    ids=["200", "302", "204", "404", "refused"],
)
def test_200_and_302_stop_the_retries(
    unionpay: UnionpayMerchant,
    clock: SandboxClock,
    inbox: Inbox,
    answer: tuple[int, bytes] | OSError,
    deliveries: int,
) -> None:
    """The body is not read."""
    inbox.answers = [answer]
    unionpay.paid()
    clock.advance(3600)

    assert len(inbox.received) == deliveries
    assert [entry["accepted"] for entry in unionpay.simulator.deliveries()][-1] is True


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        ("callback_wrong_key", InvalidSignature),
        ("callback_wrong_owner", Untrusted),
        ("callback_bad_signature", InvalidSignature),
    ],
)
def test_notice_of_somebody_else_is_not_trusted(
    unionpay: UnionpayMerchant,
    faults: FaultBoard,
    inbox: Inbox,
    fault: str,
    refusal: type[Exception],
) -> None:
    """Outside the chain, inside the chain under another name, random bytes; the retry is sound."""
    faults.add(fault, provider="unionpay", times=1)
    inbox.answers = [(400, b"")]
    unionpay.paid()
    unionpay.clock.advance(60)

    with pytest.raises(refusal):
        unionpay.notice(inbox.received[0][2])
    assert unionpay.notice(inbox.received[1][2])["respCode"] == "00"


def test_stranger_differs_from_the_genuine_in_its_key_alone(unionpay: UnionpayMerchant) -> None:
    """The same names as the chain's: comparing names is not enough."""
    keys = unionpay.keys

    assert keys.stranger_certificate.subject == keys.sign_certificate.subject
    assert keys.stranger_certificate.issuer == keys.middle.certificate.subject
    assert keys.stranger_certificate.public_key() != keys.sign_certificate.public_key()


def test_notice_amount_differs_is_validly_signed(
    unionpay: UnionpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """One fen more than was paid, in both amounts."""
    faults.add("callback_amount_differs")
    unionpay.paid()
    clock.advance()
    fields = unionpay.notice(inbox.received[0][2])

    assert (fields["txnAmt"], fields["settleAmt"]) == ("38002", "38002")
    assert unionpay.simulator.books()["payments"][0]["amount_fen"] == 38001


def test_notice_in_gbk_verifies_in_gbk(
    unionpay: UnionpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """Though UTF-8 was asked for; the field encoding and the header say so."""
    faults.add("gbk_body", operation="payment_callback")
    unionpay.paid()
    clock.advance()
    _, headers, body = inbox.received[0]

    assert unionpay.notice(body, "gbk")["encoding"] == "GBK"
    assert headers["Content-Type"].endswith("charset=GBK")


@pytest.mark.parametrize(
    ("fault", "times"),
    [("callback_never", []), ("callback_delayed", [600]), ("callback_duplicate", [0, 1])],
)
def test_notice_scheduling_fault(
    unionpay: UnionpayMerchant, faults: FaultBoard, inbox: Inbox, fault: str, times: list[int]
) -> None:
    """Never, ten minutes late, or once more a second later."""
    faults.add(fault, provider="unionpay", operation="payment_callback")
    start = unionpay.clock.now()
    unionpay.paid()
    unionpay.clock.advance(3600)

    assert [(at - start).total_seconds() for at in inbox.times] == times


def test_notice_reordered_brings_the_refund_first(
    unionpay: UnionpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """The payment's notice comes after the refund's."""
    faults.add("callback_reordered", operation="payment_callback")
    unionpay.refund(REFUND, unionpay.paid(), 101)
    clock.advance(3600)

    assert [unionpay.notice(body)["txnType"] for _, _, body in inbox.received] == ["04", "01"]


def test_front_return_carries_the_notices_fields(unionpay: UnionpayMerchant) -> None:
    """By POST to frontUrl, signed; an app or code order has none."""
    unionpay.order("front")
    unionpay.order("qr", "FY202600000002")
    form = unionpay.simulator.pay(NUMBER)["return_form"]
    unionpay.check(form["fields"])

    assert (form["action"], form["encoding"]) == (FRONT_URL, "UTF-8")
    assert sorted(form["fields"]) == SHAPES["success"]
    assert "return_form" not in unionpay.simulator.pay("FY202600000002")
    assert unionpay.simulator.cancel(NUMBER)["return_url"] == FRONT_URL


@pytest.mark.parametrize("kind", ["refund", "undo"])
def test_refund_is_accepted_then_done(unionpay: UnionpayMerchant, clock: SandboxClock, inbox: Inbox, kind: str) -> None:
    """Sync 00 is acceptance; a query says 05 for ten seconds, then 00, and the notice names the payment."""
    query_id = unionpay.paid(kind="app")
    clock.advance()
    accepted = unionpay.refund(REFUND, query_id, 38001, kind)
    written = moment(clock.now())
    clock.advance(9)
    pending = unionpay.ask("query", orderId=REFUND, txnTime=written)
    clock.advance(1)
    done = unionpay.ask("query", orderId=REFUND, txnTime=written)
    notice = unionpay.notice(inbox.received[1][2])

    assert set(accepted) == ANSWERS["refund_accepted_not_done"]
    assert set(pending) == ANSWERS["query_processing_05"]
    assert (pending["respCode"], pending["origRespCode"], pending["settleAmt"]) == ("00", "05", "0")
    assert (done["origRespCode"], done["queryId"]) == ("00", accepted["queryId"])
    assert sorted(notice) == SHAPES["refund_success"]
    assert (notice["orderId"], notice["origQryId"], notice["txnAmt"]) == (REFUND, query_id, "38001")
    assert unionpay.ask("query", txnTime=written)["origRespCode"] == "00"


def test_refund_goes_to_its_own_address(unionpay: UnionpayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """backUrl of the refund, query string and all."""
    url = "https://pay.example.cn/callbacks/refund?tenant=hf"
    unionpay.ask("refund", orderId=REFUND, origQryId=unionpay.paid(), backUrl=url, txnAmt="1")
    clock.advance(10)

    assert inbox.received[1][0] == url


def test_refund_rules(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """Sum limit, one number one refund, an original that was paid; no undo after a refund."""
    unionpay.order("qr", "FY202600000002")
    query_id = unionpay.paid()
    first = unionpay.refund(REFUND, query_id, 38000)
    codes = {
        "again": unionpay.refund(REFUND, query_id, 38000),
        "as an order": unionpay.ask("qr", orderId=REFUND),
        "too much": unionpay.refund("RF202600000002", query_id, 2),
        "undo": unionpay.refund("RF202600000003", query_id, 38001, "undo"),
        "unknown": unionpay.refund("RF202600000004", "0" * 21, 1),
        "unnamed": unionpay.ask("refund", orderId="RF202600000005"),
        "unpaid": unionpay.ask(
            "refund", orderId="RF202600000006", origOrderId="FY202600000002", origTxnTime=moment(clock.now())
        ),
    }
    last = unionpay.ask(
        "refund", orderId="RF202600000007", origOrderId=NUMBER, origTxnTime=moment(clock.now()), txnAmt="1"
    )
    after = unionpay.refund("RF202600000008", query_id, 1)

    assert (first["respCode"], last["respCode"], last["origQryId"]) == ("00", "00", query_id)
    assert {name: answer["respCode"] for name, answer in codes.items()} == {
        "again": "12",
        "as an order": "12",
        "too much": "36",
        "undo": "45",
        "unknown": "35",
        "unnamed": "13",
        "unpaid": "35",
    }
    assert after["respCode"] == "45"
    assert [entry["amount_fen"] for entry in unionpay.simulator.books()["refunds"]] == [38000, 1]


def test_undo_rules(unionpay: UnionpayMerchant) -> None:
    """The whole amount, once, and nothing can be refunded afterwards."""
    query_id = unionpay.paid()
    part = unionpay.refund("RF202600000002", query_id, 38000, "undo")
    done = unionpay.refund(REFUND, query_id, 38001, "undo")
    again = unionpay.refund("RF202600000003", query_id, 38001, "undo")
    refund = unionpay.refund("RF202600000004", query_id, 1)

    assert [answer["respCode"] for answer in (part, done, again, refund)] == ["36", "00", "45", "45"]
    assert [(entry["amount_fen"], entry["undo"]) for entry in unionpay.simulator.books()["refunds"]] == [(38001, True)]


@pytest.mark.parametrize(("seconds", "code"), [(-1, "00"), (0, "35")], ids=["22:59:59", "23:00:00"])
def test_undo_ends_with_the_clearing_day(
    unionpay: UnionpayMerchant, clock: SandboxClock, seconds: int, code: str
) -> None:
    """At 23:00, not at midnight."""
    query_id = unionpay.paid()
    start = clock.now()
    clock.advance((start.replace(hour=23, minute=0, second=0) - start).total_seconds() + seconds)

    assert unionpay.refund(REFUND, query_id, 38001, "undo")["respCode"] == code


def test_refund_ends_after_eleven_months(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """35 afterwards."""
    query_id = unionpay.paid()
    clock.advance(timedelta(days=334).total_seconds())
    in_time = unionpay.refund(REFUND, query_id, 1)
    clock.advance(1)

    assert in_time["respCode"] == "00"
    assert unionpay.refund("RF202600000002", query_id, 1)["respCode"] == "35"


def test_refund_lost_after_commit_is_a_duplicate_on_retry(unionpay: UnionpayMerchant, faults: FaultBoard) -> None:
    """12, and one refund in the books."""
    query_id = unionpay.paid()
    faults.add("timeout_after_commit", operation="refund", times=1)
    lost = unionpay.call("refund", orderId=REFUND, origQryId=query_id, txnAmt="101")

    assert lost.lost
    assert unionpay.refund(REFUND, query_id, 101)["respCode"] == "12"
    assert len(unionpay.simulator.books()["refunds"]) == 1


def unpacked(answer: dict[str, str]) -> dict[str, bytes]:
    packed = zlib.decompress(base64.b64decode(answer["fileContent"], validate=True))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_settlement_file_has_the_vectors_layers_and_lines(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """Payment and refund of the day, fixed columns, an empty ZME, the summary's head."""
    query_id = unionpay.paid(reqReserved="阜阳")
    clock.advance(60)
    accepted = unionpay.refund(REFUND, query_id, 10001)
    clock.advance(86_400)
    answer = unionpay.file("0301")
    files = unpacked(answer)
    mer_id = unionpay.keys.identity.mer_id
    paid, refunded = files[f"INN26030188ZM_{mer_id}"].splitlines(keepends=True)

    assert set(answer) == ANSWERS["file_download_response"]
    assert answer["fileName"] == f"{mer_id}_20260301.zip"
    assert files[f"INN26030188ZME_{mer_id}"] == b""
    assert files[f"RD201026030101_{mer_id}"].decode("gbk").splitlines()[1] == (f"商户代码:{mer_id}  清算日期:20260301")
    assert [len(paid), len(refunded)] == [609, 609]
    assert (paid[:3], paid[66:78], paid[87:108], paid[112:144].strip()) == (
        b"S56", b"000000038001", query_id.encode(), NUMBER.encode(),
    )  # fmt: skip
    assert (paid[166:179], paid[180:193], paid[215:217]) == (b"D000000000228", b"C000000037773", b"01")
    assert paid[397:429].decode("gbk").strip() == "阜阳"
    assert (refunded[:3], refunded[66:78], refunded[87:108]) == (b"S30", b"000000010001", accepted["queryId"].encode())
    assert (refunded[166:179], refunded[180:193], refunded[215:217]) == (b"C000000000060", b"D000000009941", b"04")
    assert (refunded[271:292], refunded[476:508].strip()) == (query_id.encode(), NUMBER.encode())
    assert refunded[148:165] == paid[28:34] + b" " + paid[35:45]
    for start, end in ((4, 27), (79, 86), (194, 214), (309, 326), (360, 373), (388, 396), (430, 475)):
        theirs = LINES[0] if start != 388 else b" " * 388 + b"49000002"
        assert paid[start:end] == theirs[start:end]


def test_settlement_file_of_a_clearing_day_starts_at_23(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """22:59:59 is in the day's file, 23:00:00 in the next day's."""
    start = clock.now()
    clock.advance((start.replace(hour=22, minute=59, second=59) - start).total_seconds())
    unionpay.paid()
    clock.advance(1)
    unionpay.paid("FY202600000002")
    clock.advance(2 * 86_400)
    days = [next(iter(unpacked(unionpay.file(day)).values())) for day in ("0301", "0302")]

    assert [day[112:144].strip().decode() for day in days] == [NUMBER, "FY202600000002"]
    assert [len(day) for day in days] == [609, 609]


@pytest.mark.parametrize(
    ("settle_date", "code"),
    [("0301", "98"), ("0228", "98"), ("0302", "98"), ("1301", "10"), ("0230", "10"), ("0229", "98"), ("301", "10")],
    ids=["not ready", "nothing moved", "a year ago", "no month", "no day", "leap day", "too short"],
)
def test_settlement_file_that_cannot_be_had_is_refused(
    unionpay: UnionpayMerchant, clock: SandboxClock, settle_date: str, code: str
) -> None:
    """98 until nine the next morning, and for a day without movements."""
    unionpay.paid()
    start = clock.now()
    clock.advance((start.replace(hour=9, minute=0, second=0) + timedelta(days=1) - start).total_seconds() - 1)
    early = unionpay.file(settle_date)["respCode"]
    clock.advance(1)

    assert early == code
    assert unionpay.file("0301")["respCode"] == "00"
