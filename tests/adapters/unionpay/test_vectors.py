"""Every published test value of every vector file, through the adapter's own code."""

import base64
import hashlib
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from adapters.kit.keys import load_rsa_private_key
from adapters.unionpay.app_result import read_app_result
from adapters.unionpay.certificates import Chain, PlatformCertificates, load_certificates, rsa_key_of
from adapters.unionpay.config import load_pfx
from adapters.unionpay.form import canonical_bytes, form_body, read_answer, read_notify
from adapters.unionpay.sensitive import Sealer, card_number, open_sealed
from adapters.unionpay.signing import CertificateProof, KeyProof, NotAuthentic, Proof
from adapters.unionpay.statement import Bill, read_file
from gateway.domain.provider import CallbackRefused, NoVerdict
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.secret import Secret
from gateway.domain.statement import StatementKind, StatementLineKind
from tests.adapters.unionpay import peer
from tests.conformance.case import FixedClock, WireAnswer
from tests.conformance.network import playing

ARRIVED: Final = datetime(2024, 1, 6, 12, 0, tzinfo=UTC)
CREATED: Final = datetime(2024, 1, 5, 8, 58, 42, tzinfo=UTC)
"""2024-01-05 16:58:42 in Beijing: the `txnTime` of the vectors' payment."""


def each(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


def proof(*, test_names: bool = False) -> Proof:
    config = peer.provider(environment="test" if test_names else "production")._config
    return config.proof


def proof_for(case: dict[str, Any]) -> Proof:
    if case["sign_method"] == "01":
        return proof()
    return KeyProof(case["sign_method"], Secret(case["secure_key"]))


# --- requests ---------------------------------------------------------------------------------------------------------


@each(peer.vector("requests"))
def test_request_of_vector_is_signed_as_by_the_vendor(case: dict[str, Any]) -> None:
    """The same fields give the same canonical text, digest, signature and sent fields as UnionPay's own kit."""
    sent = proof_for(case).sign(case["input_fields"])

    assert case["signed_fields"] == sent
    assert case["canonical"].encode(case["encoding"]) == canonical_bytes(sent)
    if "canonical_bytes_hex_sha256" in case:
        assert case["canonical_bytes_hex_sha256"] == hashlib.sha256(canonical_bytes(sent)).hexdigest()
    if "string_before_last_digest" in case:
        assert case["signature"] == hashlib.sha256(case["string_before_last_digest"].encode()).hexdigest()


@each(peer.vector("requests"))
def test_form_of_vector_equals_the_published_body(case: dict[str, Any]) -> None:
    """The body carries every signed field, percent-encoded in the request's own encoding."""
    body = form_body(case["signed_fields"])

    assert sorted(case["form_body_example"].encode().split(b"&")) == sorted(body.split(b"&"))
    assert case["signed_fields"] == dict(parse_qsl(body.decode(), encoding=case["encoding"]))


# --- answers ----------------------------------------------------------------------------------------------------------

ANSWERS: Final = [*peer.vector("responses"), peer.vector("recon")["response"]]
QUERIES: Final = [case for case in ANSWERS if "order_context" in case]


def judged(case: dict[str, Any], *, test_names: bool) -> bool:
    try:
        proof(test_names=test_names).verify(read_answer(base64.b64decode(case["body_base64"])), ARRIVED)
    except NotAuthentic:
        return False
    return True


@each(ANSWERS)
def test_answer_of_vector_is_taken_apart_in_the_one_right_way(case: dict[str, Any]) -> None:
    """Not percent-encoded, brackets respected, GBK where it says so."""
    assert case["parsed_fields"] == read_answer(base64.b64decode(case["body_base64"])).fields


@each(ANSWERS)
def test_answer_of_vector_is_judged_as_expected(case: dict[str, Any]) -> None:
    """By the strict rule of production, and by that of the test environment."""
    assert case["expect"]["verified"] == judged(case, test_names=False)
    assert case["expect"]["verified_when_test_cn_allowed"] == judged(case, test_names=True)


STATES: Final = {"PAID": ReportedState.PAID, "PENDING": ReportedState.PENDING, "FAILED": ReportedState.FAILED}


def asked(case: dict[str, Any], at: datetime) -> ReportedState | None:
    """What a query reports that is answered so; None without a verdict."""
    answer = WireAnswer(status=case["http_status"], headers={}, body=base64.b64decode(case["body_base64"]))
    ref = peer.ref(out_trade_no=case["order_context"]["orderId"], created_at=CREATED)
    with playing(answer):
        try:
            return peer.provider(FixedClock(at)).query(ref).report.state
        except NoVerdict:
            return None


@pytest.mark.parametrize("moment", ["before_payTimeout", "after_payTimeout"])
@each(QUERIES)
def test_query_answered_by_vector_means_what_it_says(case: dict[str, Any], moment: str) -> None:
    """00 is the question's code; a failure counts only when nobody can pay any more; absent stays "not found"."""
    late = timedelta(minutes=26) if moment.startswith("after") else timedelta(minutes=14)
    meaning = case["expect"]["meaning"]
    word = meaning if isinstance(meaning, str) else meaning[moment]
    wanted = ReportedState.NOT_FOUND if case["name"] == "query_not_found_34" else STATES.get(word)

    assert wanted == asked(case, CREATED + late)


@each([case for case in ANSWERS if case["name"] == "query_test_env_cn"])
def test_query_answered_under_the_test_name_is_paid_in_the_test_environment(case: dict[str, Any]) -> None:
    """The second verdict of the vector."""
    answer = WireAnswer(status=200, headers={}, body=base64.b64decode(case["body_base64"]))
    provider = peer.provider(FixedClock(ARRIVED), environment="test")
    with playing(answer):
        ref = peer.ref(out_trade_no=case["order_context"]["orderId"], created_at=CREATED)
        report = provider.query(ref).report

    assert (ReportedState.PAID, 38000) == (report.state, report.amount_fen)


# --- notifies ---------------------------------------------------------------------------------------------------------

NOTIFIES: Final = peer.vector("notifies")


@each(NOTIFIES)
def test_notify_of_vector_is_judged_as_expected(case: dict[str, Any]) -> None:
    """Forged, foreign, expired, downgraded and unsigned ones are refused, whatever the vendor's kit said."""
    for environment, name in (("production", "verified"), ("test", "verified_when_test_cn_allowed")):
        provider = peer.provider(environment=environment)
        try:
            provider.parse_callback(peer.callback(case["body"].encode(), ARRIVED))
            proven = True
        except CallbackRefused:
            proven = False
        assert case["expect"][name] == proven, environment


@each([case for case in NOTIFIES if case["expect"]["verified"]])
def test_notify_of_vector_reports_its_meaning(case: dict[str, Any]) -> None:
    """Number, amount and state as the vector's business expects."""
    report = peer.provider().parse_callback(peer.callback(case["body"].encode(), ARRIVED)).report
    context, business = case["order_context"], case["expect"]["business"]

    assert report is not None
    assert report.contradictions == ()
    if business.startswith("refund"):
        assert report.refund is not None
        wanted = {"refund_done": ReportedRefundState.SUCCEEDED, "refund_failed": ReportedRefundState.FAILED}
        assert (context["orderId"], int(context["txnAmt"])) == (report.refund.out_refund_no, report.refund.amount_fen)
        assert wanted[business] is report.refund.state
    else:
        assert (ReportedState.PAID, context["orderId"]) == (report.state, report.out_trade_no)
        assert (int(context["txnAmt"]) == report.amount_fen) is (business != "reject_mismatch")
        assert report.occurred_at is not None
        assert report.occurred_at == CREATED


def test_notify_sent_twice_has_one_dedup_key_and_a_wrong_amount_another() -> None:
    """A duplicate is recognised; a contradictory message does not stand in for the right one."""
    bodies = {case["name"]: case["body"].encode() for case in NOTIFIES}
    provider = peer.provider()

    first, again, other = (
        provider.parse_callback(peer.callback(bodies[name], ARRIVED)).dedup_key
        for name in ("success", "success_duplicate", "signed_amount_differs_from_order")
    )

    assert first == again
    assert first != other


@each([case for case in NOTIFIES if "decrypted" in case])
def test_notify_of_vector_has_its_card_number_decrypted(case: dict[str, Any]) -> None:
    """An encrypted accNo opens with our own key, and with the operation made for it alone."""
    raw = peer.callback(case["body"].encode(), ARRIVED)

    assert case["decrypted"]["accNo"] == peer.provider().read_card_number(raw)
    assert case["decrypted"]["accNo"] not in repr(peer.provider().parse_callback(raw))


@each([case for case in NOTIFIES if case["name"] == "gbk_success"])
def test_notify_in_gbk_keeps_its_text(case: dict[str, Any]) -> None:
    """The form's escapes are GBK bytes."""
    assert read_notify(case["body"].encode()).fields["respMsg"].startswith("成功")


# --- real messages ----------------------------------------------------------------------------------------------------


@each(peer.vector("real_messages"))
def test_real_message_is_proven_at_its_date_and_not_after_its_certificate(case: dict[str, Any]) -> None:
    """What UnionPay's own test gateway signed, under its SHA-1-signed chain."""
    chain = Chain(
        middles=load_certificates(peer.text(case["middle"])),
        names=frozenset({"中国银联股份有限公司"}),
        own_digests=frozenset(),
    )
    real = CertificateProof(private_key=peer.key("merchant_sign"), cert_id="1", platform=PlatformCertificates(chain))
    message = read_answer(base64.b64decode(case["body_base64"]))

    real.verify(message, datetime.fromisoformat(case["verify_at"]))

    assert case["parsed_fields"] == message.fields
    with pytest.raises(NotAuthentic, match="unknown_key"):
        real.verify(message, datetime(2026, 3, 1, tzinfo=UTC))


def test_real_middle_certificate_is_accepted_under_the_real_root() -> None:
    """Settings take UnionPay's own SHA-1-signed pair."""
    provider = peer.provider(
        root_certificates=Secret(peer.text("real_cfca_test_root.pem")),
        middle_certificates=Secret(peer.text("real_cfca_test_middle.pem")),
    )

    assert any(name.startswith("middle_certificates") for name in provider.key_expiries())


# --- encrypted fields, app control, PFX -------------------------------------------------------------------------------

SENSITIVE: Final = peer.vector("sensitive")


def test_card_number_of_vector_opens_and_ours_opens_there() -> None:
    """Padding is random, so clear texts are compared: theirs and ours open with the platform's key."""
    sealer = peer.provider()._config.sealer
    assert isinstance(sealer, Sealer)
    platform = peer.key("platform_enc")
    clear = SENSITIVE["request_side"]["accNo"]["plain"]

    assert SENSITIVE["encryptCertId"] == sealer.cert_id
    assert clear == open_sealed(platform, SENSITIVE["request_side"]["accNo"]["cipher_base64"]).decode()
    assert clear == open_sealed(platform, sealer.seal(clear)).decode()


def test_card_number_sent_to_us_opens_with_our_key() -> None:
    """The answer side is encrypted to the merchant's signing certificate."""
    key = load_rsa_private_key(peer.text("merchant_sign.key.pem"))

    assert SENSITIVE["notify_side"]["accNo"]["plain"] == card_number(
        key, SENSITIVE["notify_side"]["accNo"]["cipher_base64"]
    )


def test_pin_block_and_customer_info_of_vector_open() -> None:
    """The same cipher carries the fields that no method here sends."""
    platform, request_side = peer.key("platform_enc"), SENSITIVE["request_side"]
    info = base64.b64decode(request_side["customerInfo"]["value_base64"]).decode()
    sealed = info.removesuffix("}").partition("encryptedInfo=")[2]

    assert request_side["pin"]["pin_block_hex"] == open_sealed(platform, request_side["pin"]["cipher_base64"]).hex()
    assert request_side["customerInfo"]["encryptedInfo_plain"] == open_sealed(platform, sealed).decode()


@each(peer.vector("app_result"))
def test_app_result_of_vector_is_judged_as_expected(case: dict[str, Any]) -> None:
    """A failure turned into a success does not verify."""
    key = rsa_key_of(load_certificates(peer.text(case["public_key"]))[0])
    assert key is not None
    if not case["expect_signature_ok"]:
        with pytest.raises(ValueError, match="sign"):
            read_app_result(key, case["json_text"])
        return

    tn, word = read_app_result(key, case["json_text"])

    assert "success" == word
    assert f"tn={tn}&" in case["json_text"]


def test_pfx_of_vector_holds_the_pair_of_the_pem_files() -> None:
    """One identity in two shapes."""
    pfx = base64.encodebytes((peer.KEYS / "merchant_sign.pfx").read_bytes()).decode()

    identity = load_pfx(pfx, "000000")

    assert peer.CERT_ID == str(identity.certificate.serial_number)
    assert peer.key("merchant_sign").private_numbers() == identity.private_key.private_numbers()


# --- the settlement file ----------------------------------------------------------------------------------------------

RECON: Final = peer.vector("recon")
BILL: Final = Bill(day=date(2024, 1, 5), mer_id=peer.MER_ID)


def test_settlement_file_of_vector_gives_its_lines_and_totals() -> None:
    """Every row of the vector, and the sums that it expects."""
    lines = list(read_file(RECON["response"]["parsed_fields"]["fileContent"], BILL))
    payments = [line for line in lines if line.kind is StatementLineKind.PAYMENT]
    refunds = [line for line in lines if line.kind is StatementLineKind.REFUND]
    totals = RECON["expect"]["totals"]

    for row, line in zip(RECON["zm_rows"], lines, strict=True):
        is_refund = line.kind is StatementLineKind.REFUND
        assert row["12"] == (line.out_refund_no if is_refund else line.out_trade_no)
        assert row["10"] == (line.provider_refund_no if is_refund else line.provider_trade_no)
        assert (row["41"], row["27"]) == ((line.out_trade_no, line.provider_trade_no) if is_refund else ("", ""))
        assert (int(row["7"]), row["1"]) == (line.amount_fen, line.provider_status)
        assert line.occurred_at is not None
        assert row["5"] == line.occurred_at.strftime("%m%d%H%M%S")
    assert (totals["pay_count"], totals["refund_count"]) == (len(payments), len(refunds))
    assert totals["pay_amount"] == sum(line.amount_fen for line in payments)
    assert totals["refund_amount"] == sum(line.amount_fen for line in refunds)
    assert totals["pay_fee"] * 1000 == sum(line.fee_fen_e3 or 0 for line in payments)


def test_settlement_file_of_vector_matches_our_books_as_expected() -> None:
    """Number, kind and amount are enough for the vector's own reconciliation."""
    lines = list(read_file(RECON["response"]["parsed_fields"]["fileContent"], BILL))
    theirs = {line.out_refund_no or line.out_trade_no: line.amount_fen for line in lines}
    ours = {order["orderId"]: order for order in RECON["local_orders"]}
    same = {number for number in theirs.keys() & ours.keys() if theirs[number] == ours[number]["txnAmt"]}
    expect = RECON["expect"]

    assert set(expect["matched"]) == {number for number in same if ours[number]["state"] == "PAID"}
    assert set(expect["should_become_success"]) == {number for number in same if ours[number]["state"] == "PENDING"}
    assert set(expect["amount_mismatch"]) == (theirs.keys() & ours.keys()) - same
    assert set(expect["paid_locally_but_absent_from_file"]) == ours.keys() - theirs.keys()
    assert set(expect["in_file_but_unknown_locally"]) == theirs.keys() - ours.keys()


def test_settlement_file_of_vector_comes_through_the_whole_operation() -> None:
    """Asked, proven, unpacked; the ZIP in it is the published one."""
    answer = WireAnswer(status=200, headers={}, body=base64.b64decode(RECON["response"]["body_base64"]))
    clock = FixedClock(datetime(2024, 1, 6, 2, 0, tzinfo=UTC))
    with playing(answer) as network:
        lines = list(peer.provider(clock).fetch_statement(date(2024, 1, 5), StatementKind.TRADES))

    path = peer.VECTORS / RECON["file_name"]
    assert len(RECON["zm_rows"]) == len(lines)
    assert b"settleDate=0105" in network.sent[0].body
    assert RECON["zip_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with zipfile.ZipFile(path) as archive:
        assert RECON["zip_entries"] == archive.namelist()
        assert (peer.VECTORS / f"{RECON['zm_entry']}.txt").read_bytes() == archive.read(RECON["zm_entry"])
