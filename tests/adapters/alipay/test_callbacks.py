"""Notifications beyond the vectors: what is refused, what is unreadable, what each content means."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from gateway.domain.clock import CHINA
from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable, RawCallback
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import callback, notice, notify_body, paid, provider


def report_of(fields: dict[str, str], **how: Any) -> ProviderReport:
    report = provider().parse_callback(notice(fields, **how)).report
    assert report is not None
    return report


def reason_of(raw: RawCallback, **settings: Any) -> str:
    with pytest.raises(CallbackRefused) as refused:
        provider(**settings).parse_callback(raw)
    return refused.value.reason


# --- content (sheet: handling by content) -----------------------------------------------------------------------------

_REFUNDED = {
    "refund_fee": "120.01",
    "gmt_refund": "2026-03-01 11:00:00.123",
    "out_biz_no": peer.REFUND_NUMBER,
}
_WHOLE = {**_REFUNDED, "refund_fee": "380.01", "gmt_close": "2026-03-01 11:00:00"}
_UNPAID: dict[str, Any] = {"gmt_payment": None, "gmt_close": "2026-03-01 10:50:36"}


@pytest.mark.parametrize(
    ("changes", "state", "refunded_fen"),
    [
        pytest.param({}, ReportedState.PAID, None, id="paid"),
        pytest.param({"refund_fee": "0.00"}, ReportedState.PAID, 0, id="paid-zero-refunded"),
        pytest.param(_REFUNDED, ReportedState.PAID, 12001, id="partial-refund"),
        pytest.param({"trade_status": "TRADE_CLOSED", **_WHOLE}, ReportedState.PAID, 38001, id="full-refund"),
        pytest.param({"trade_status": "TRADE_CLOSED", **_UNPAID}, ReportedState.CLOSED, None, id="unpaid-close"),
        pytest.param(
            {"trade_status": "TRADE_CLOSED", **_UNPAID, "refund_fee": "0.00"},
            ReportedState.CLOSED,
            0,
            id="unpaid-close-zero-refunded",
        ),
        pytest.param({"trade_status": "TRADE_CLOSED"}, ReportedState.UNKNOWN, None, id="closed-but-paid"),
        pytest.param({"trade_status": "TRADE_FINISHED"}, ReportedState.PAID, None, id="finished"),
        pytest.param(
            {"trade_status": "TRADE_FINISHED", "refund_fee": "0.00"}, ReportedState.PAID, 0, id="finished-months-later"
        ),
        pytest.param({"trade_status": "WAIT_BUYER_PAY"}, ReportedState.PENDING, None, id="created"),
        pytest.param({"trade_status": "TRADE_FLOATING"}, ReportedState.UNKNOWN, None, id="never-seen"),
    ],
)
def test_trade_notice_means(changes: dict[str, Any], state: ReportedState, refunded_fen: int | None) -> None:
    """Each content of a trade notification has its one meaning."""
    report = report_of(paid(**changes))

    assert (state, refunded_fen) == (report.state, report.refunded_total_fen)
    assert report.amount_fen == 38001
    assert report.contradictions == ()


def test_paid_notice_tells_time_and_numbers() -> None:
    """Beijing time, Alipay's number, ours, and no refund."""
    report = report_of(paid())

    assert report.occurred_at == datetime(2026, 3, 1, 10, 20, 41, tzinfo=CHINA)
    assert (report.out_trade_no, report.provider_trade_no) == (peer.NUMBER, peer.TRADE_NUMBER)
    assert report.refund is None


def test_refund_notice_names_the_refund() -> None:
    """out_biz_no is our number of the refund; its own amount is not on the wire."""
    report = report_of(paid(**_REFUNDED))

    assert report.refund == RefundReport(
        out_refund_no=peer.REFUND_NUMBER,
        state=ReportedRefundState.SUCCEEDED,
        occurred_at=datetime(2026, 3, 1, 11, 0, tzinfo=CHINA),
    )


def test_refund_notice_without_a_number_still_tells_the_sum() -> None:
    """A refund made in the merchant console may have no number of ours."""
    report = report_of(paid(**{**_REFUNDED, "out_biz_no": None}))

    assert report.refund is not None
    assert (report.refund.out_refund_no, report.refunded_total_fen) == (None, 12001)


def test_refund_notice_with_an_unknown_status_proves_no_success() -> None:
    """Only REFUND_SUCCESS is success."""
    report = report_of(paid(**_REFUNDED, refund_status="REFUND_FLOATING"))

    assert report.refund is not None
    assert report.refund.state is ReportedRefundState.UNKNOWN


def test_late_finish_with_an_old_sum_names_no_refund() -> None:
    """TRADE_FINISHED tells the sum again, without telling of a refund."""
    report = report_of(paid(trade_status="TRADE_FINISHED", refund_fee="120.01"))

    assert report.refund is None
    assert report.refunded_total_fen == 12001


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"app_id": "2021000000000000"}, "app_id", id="foreign-app"),
        pytest.param({"app_id": None}, "app_id", id="no-app"),
        pytest.param({"auth_app_id": "2021000000000000"}, "auth_app_id", id="foreign-auth-app"),
        pytest.param({"seller_id": "2088000000000000"}, "seller_id", id="foreign-seller"),
        pytest.param({"seller_id": None}, "seller_id", id="no-seller"),
        pytest.param({"seller_id": ""}, "seller_id", id="empty-seller"),
        pytest.param({**_REFUNDED, "refund_fee": "380.02"}, "refund_fee", id="more-refunded-than-paid"),
    ],
)
def test_authentic_notice_that_is_not_ours_names_the_contradiction(changes: dict[str, Any], named: str) -> None:
    """An authentic notification for another app or seller is told apart by the field's name."""
    assert report_of(paid(**changes)).contradictions == (named,)


def test_own_app_may_leave_auth_app_id_out() -> None:
    """Only who acts for a merchant must see which app authorised it."""
    assert report_of(paid(auth_app_id=None)).contradictions == ()


@pytest.mark.parametrize(
    ("auth_app_id", "named"),
    [("2021000000000007", ()), ("2021003987654321", ("auth_app_id",)), (None, ("auth_app_id",))],
    ids=["ours", "another", "absent"],
)
def test_isv_notice_must_name_the_authorising_app(auth_app_id: str | None, named: tuple[str, ...]) -> None:
    """For an ISV, auth_app_id is the merchant's app, and it must be there."""
    isv = {"app_auth_token": Secret("202603BB00X90-invented"), "auth_app_id": "2021000000000007"}

    report = provider(**isv).parse_callback(notice(paid(auth_app_id=auth_app_id))).report

    assert report is not None
    assert named == report.contradictions


@pytest.mark.parametrize(("text", "fen"), [("88.8", 8880), ("88.80", 8880), ("88", 8800), ("100000000.00", 10**10)])
def test_amount_is_read_to_the_fen(text: str, fen: int) -> None:
    """88.8 equals 88.80; nothing is rounded."""
    assert report_of(paid(total_amount=text)).amount_fen == fen


@pytest.mark.parametrize("charset", ["GBK", "gb2312", "GB18030", "gbk"])
def test_notice_in_gbk_is_read(charset: str) -> None:
    """The GB family is decoded as such, by the charset field alone."""
    fields = paid(charset=charset, subject="居民医保缴费")

    assert report_of(fields, charset="gb18030").state is ReportedState.PAID


def test_notice_without_charset_is_utf8() -> None:
    """Absent means UTF-8."""
    assert report_of(paid(charset=None)).state is ReportedState.PAID


def test_four_byte_characters_are_kept() -> None:
    """Characters beyond the BMP change nothing."""
    assert report_of(paid(subject="𠮷😀居民医保")).state is ReportedState.PAID


@pytest.mark.parametrize(
    "content_type", ["application/json", "", "multipart/form-data", "text/html; charset=gbk", "\xe9"]
)
def test_content_type_is_not_consulted(content_type: str) -> None:
    """Alipay's content types vary; the charset field decides."""
    raw = callback(notify_body(paid()), content_type=content_type)

    assert provider().parse_callback(raw).report == report_of(paid())


def test_notice_of_any_age_is_accepted() -> None:
    """There is no freshness rule: redelivery goes on for 25 hours, and a replay meets its dedup key."""
    old = callback(notify_body(paid()), received_at=peer.NOW + timedelta(days=400))

    assert provider().parse_callback(old).report == report_of(paid())


def test_redelivery_has_the_same_key_and_the_next_refund_another() -> None:
    """notify_time may change; a refunded sum is another fact."""
    first = provider().parse_callback(notice(paid(**_REFUNDED)))
    again = provider().parse_callback(notice(paid(**_REFUNDED, notify_time="2026-03-01 11:04:00")))
    more = provider().parse_callback(notice(paid(**{**_REFUNDED, "refund_fee": "240.02"})))

    assert first == again
    assert first.dedup_key != more.dedup_key


def test_dedup_key_is_short_ascii_even_for_a_strange_notify_id() -> None:
    """A notify_id that does not look like one is not put into the key."""
    callback = provider().parse_callback(notice(paid(notify_id="号" * 300)))

    assert callback.dedup_key.isascii()
    assert len(callback.dedup_key) <= 128


# --- other kinds of events --------------------------------------------------------------------------------------------

_MARKET = {"notify_type": "servicemarket_order_notify", "app_id": peer.APP_ID, "charset": "utf-8", "notify_id": "n1"}


@pytest.mark.parametrize("keep_sign_type", [False, True], ids=["as-trade", "message-service"])
def test_notice_of_another_kind_is_acknowledged_and_ignored(keep_sign_type: bool) -> None:
    """A signed event that we do not use gives no report, whichever of the two rules signed it."""
    parsed = provider().parse_callback(notice(_MARKET, keep_sign_type=keep_sign_type))

    assert parsed == Callback(dedup_key=parsed.dedup_key, event="servicemarket_order_notify", report=None)


def test_other_event_redelivered_has_the_same_key() -> None:
    """Of such an event, everything but the time of delivery tells it apart."""
    keys = {
        provider().parse_callback(notice({**_MARKET, "notify_time": time, "x": other})).dedup_key
        for time, other in (("1", "a"), ("2", "a"), ("2", "b"))
    }

    assert len(keys) == 2


def test_trade_signed_by_the_message_rule_is_refused() -> None:
    """The second rule never lends its signature to a trade."""
    assert reason_of(notice(paid(), keep_sign_type=True)) == "signature"


def test_notice_without_a_kind_is_unreadable() -> None:
    """Whoever leaves notify_type out is not told `success`: the notice is kept, and comes again."""
    with pytest.raises(CallbackUnreadable):
        provider().parse_callback(notice(paid(notify_type=None)))


# --- refused ----------------------------------------------------------------------------------------------------------

_GOOD = notify_body(paid())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(_GOOD + b"&trade_no=1", "malformed", id="field-twice"),
        pytest.param(b"total_amount=380.01&" + _GOOD, "malformed", id="equal-field-twice"),
        pytest.param(_GOOD.replace(b"trade_no=", b"%74rade_no=x&trade_no=", 1), "malformed", id="escaped-name-twice"),
        pytest.param(_GOOD + b"&x=%zz", "malformed", id="broken-escape"),
        pytest.param(_GOOD + b"&x=%4", "malformed", id="cut-escape"),
        pytest.param(_GOOD + b"&x=\x00", "malformed", id="nul-byte"),
        pytest.param(_GOOD + b"&x=\xe4\xb8\xad", "malformed", id="raw-utf8"),
        pytest.param(_GOOD + b"&x=%ff", "malformed", id="not-utf8"),
        pytest.param(_GOOD + b"&x=%ED%A0%80", "malformed", id="surrogate"),
        pytest.param(_GOOD + b"&x", "malformed", id="no-equals-sign"),
        pytest.param(_GOOD + b"&", "malformed", id="empty-pair"),
        pytest.param(_GOOD + b"&=1", "malformed", id="no-name"),
        pytest.param(_GOOD + b"&%E4%B8%AD=1", "malformed", id="name-not-ascii"),
        pytest.param(_GOOD + b"&x=%00", "signature", id="escaped-nul"),
        pytest.param(_GOOD + b"&x=1", "signature", id="unsigned-field"),
        pytest.param(_GOOD.replace(b"charset=utf-8", b"charset=utf-16"), "malformed", id="unknown-charset"),
        pytest.param(_GOOD.replace(b"charset=utf-8", b"charset=GBK"), "signature", id="other-charset"),
        pytest.param(_GOOD.replace(b"sign_type=RSA2", b"sign_type=RSA"), "signature", id="rsa-with-sha1"),
        pytest.param(_GOOD.replace(b"&sign_type=RSA2", b""), "signature", id="no-sign-type"),
        pytest.param(_GOOD.split(b"&sign=")[0] + b"&sign=", "signature", id="empty-sign"),
        pytest.param(_GOOD + b"%0A", "signature", id="stray-character-in-sign"),
        pytest.param(_GOOD + b"%E4%B8%AD", "signature", id="sign-not-ascii"),
        pytest.param(_GOOD + b"&x=" + b"A" * (1 << 20), "malformed", id="huge"),
        pytest.param(b"&".join(b"k%d=v" % n for n in range(300)), "malformed", id="many-fields"),
        pytest.param(
            _GOOD.replace(b"380.01", b"%33%38%30.01", 1).replace(b"380.01", b"3.01"), "signature", id="cheaper"
        ),
    ],
)
def test_damaged_notice_is_refused(body: bytes, reason: str) -> None:
    """Nothing is read from what is not proven, and the reason is told."""
    assert reason == reason_of(callback(body))


def test_value_is_decoded_once_only() -> None:
    """A value that is still escaped after one decoding was signed so."""
    assert report_of(paid(passback_params="city%3Dfuyang%26kind%3Djm+%2B")).state is ReportedState.PAID


def test_notice_signed_with_sha1_is_refused() -> None:
    """A SHA-1 signature is not RSA2, whatever sign_type says."""
    body = notify_body(paid(), signer=lambda text: peer.sign(text, digest=hashes.SHA1()))

    assert reason_of(callback(body)) == "signature"


@pytest.mark.parametrize("key", ["app", "rogue", "rotated"])
def test_notice_signed_with_another_key_is_refused(key: str) -> None:
    """Our own key and strangers' keys prove nothing."""
    assert reason_of(notice(paid(), key=key)) == "signature"


@pytest.mark.parametrize("key", ["platform", "previous"])
def test_both_keys_of_a_change_prove_a_notice(key: str) -> None:
    """While 支付宝公钥 changes, the old and the new one hold."""
    assert report_of(paid(), key=key) == report_of(paid())


# --- authentic, but not understood ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"total_amount": "NaN"}, id="nan"),
        pytest.param({"total_amount": "-1.00"}, id="negative"),
        pytest.param({"total_amount": "1e3"}, id="exponent"),
        pytest.param({"total_amount": "３８０.01"}, id="full-width"),
        pytest.param({"total_amount": "380.010"}, id="third-decimal"),
        pytest.param({"total_amount": "9" * 2000}, id="two-thousand-digits"),
        pytest.param({"total_amount": ""}, id="no-amount"),
        pytest.param({"total_amount": None}, id="amount-absent"),
        pytest.param({"total_amount": "380.01\x00"}, id="nul"),
        pytest.param({"total_amount": "380.01\n"}, id="line-break"),
        pytest.param({"refund_fee": "much"}, id="refund-fee"),
        pytest.param({"out_trade_no": None}, id="no-number"),
        pytest.param({"out_trade_no": "x' OR 1=1"}, id="number-not-ours"),
        pytest.param({"out_trade_no": "9" * 65}, id="number-too-long"),
        pytest.param({"trade_status": None}, id="no-status"),
        pytest.param({"trade_status": "支付成功"}, id="status-not-a-word"),
    ],
)
def test_authentic_notice_that_makes_no_sense_is_unreadable(changes: dict[str, Any]) -> None:
    """It is stored as malformed and refused: no payment is booked, none is forgotten."""
    with pytest.raises(CallbackUnreadable) as unreadable:
        provider().parse_callback(notice(paid(**changes)))

    shown = str(unreadable.value)
    assert all(str(value) not in shown for value in changes.values() if value and len(value) > 3)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-02-30 10:00:00", "0000-00-00 00:00:00", "9" * 500])
def test_malformed_time_costs_no_payment(time: str) -> None:
    """A time decides nothing about money."""
    report = report_of(paid(gmt_payment=time))

    assert (report.state, report.occurred_at) == (ReportedState.PAID, None)
