"""Bills: lines by column name, exact amounts, limits, and refusal of what does not hold."""

import base64
import gzip
import hashlib
from datetime import datetime
from typing import Any

import pytest

from adapters.wechatpay import statement
from gateway.domain.clock import CHINA
from gateway.domain.provider import NoVerdict, ProviderUnavailable
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind, StatementUnreadable
from tests.adapters.wechatpay import peer
from tests.adapters.wechatpay.peer import error, signed
from tests.conformance.case import WireAnswer
from tests.conformance.network import playing

DAY = datetime(2025, 10, 8, tzinfo=CHINA).date()
BILLS = {case["id"]: case for case in peer.vector_cases("bills")}
TRADES = base64.b64decode(BILLS["trade_all"]["file_base64"])
FUNDS = base64.b64decode(BILLS["fund_basic"]["file_base64"])
DOWNLOAD_URL = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=Jf1i%2BUjk|x&tartype=gzip"


def lines(content: bytes, kind: StatementKind = StatementKind.TRADES) -> list[StatementLine]:
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    return list(statement.read_lines(content, hashlib.sha1(plain).hexdigest(), kind))


def bill(*rows: str, header: str, summary: str | None = None, names: str = "总交易单数,订单总金额") -> bytes:
    told = f"`{len(rows)}.0,`0.00" if summary is None else summary
    return "\r\n".join(["\ufeff" + header, *rows, names, told, ""]).encode()


def ticket(content: bytes, **changes: Any) -> WireAnswer:
    sha1 = hashlib.sha1(content).hexdigest()
    return signed({"hash_type": "SHA1", "hash_value": sha1, "download_url": DOWNLOAD_URL, **changes})


def file(content: bytes) -> WireAnswer:
    return WireAnswer(status=200, headers={"Content-Type": "text/plain"}, body=content)


def test_trade_bill_gives_payments_and_refunds() -> None:
    """Amounts are the order's and the refund's own, fees are exact to the fifth decimal."""
    first, tiny, refund = lines(TRADES)

    assert first == StatementLine(
        line_no=2,
        kind=StatementLineKind.PAYMENT,
        occurred_at=datetime(2025, 10, 8, 9, 12, 3, tzinfo=CHINA),
        out_trade_no="FY202600000101",
        provider_trade_no="4200002000202510096000000101",
        amount_fen=40000,
        fee_fen_e3=0,
        provider_status="SUCCESS",
    )
    assert (tiny.line_no, tiny.amount_fen) == (3, 1)
    assert refund == StatementLine(
        line_no=4,
        kind=StatementLineKind.REFUND,
        occurred_at=datetime(2025, 10, 8, 23, 59, 59, tzinfo=CHINA),
        out_trade_no="FY202600000101",
        provider_trade_no="4200002000202510096000000101",
        amount_fen=40000,
        out_refund_no="RF202600000101",
        provider_refund_no="50300002000202510090000000101",
        fee_fen_e3=0,
        provider_status="SUCCESS",
    )


def test_fund_bill_gives_movements() -> None:
    """What came and what went, by our and their numbers."""
    payment, refund = lines(FUNDS, StatementKind.FUNDS)

    assert (
        payment.kind,
        payment.amount_fen,
        payment.out_trade_no,
        payment.provider_trade_no,
    ) == (StatementLineKind.PAYMENT, 40000, "FY202600000101", "4200002000202510096000000101")
    assert (
        refund.kind,
        refund.amount_fen,
        refund.out_refund_no,
        refund.provider_refund_no,
    ) == (StatementLineKind.REFUND, 40000, "RF202600000101", "50300002000202510090000000101")


OLD_HEADER = (
    "交易时间,微信订单号,商户订单号,交易状态,货币种类,总金额,企业红包金额,"
    "微信退款单号,商户退款单号,退款金额,退款状态,手续费"
)


def test_older_layout_is_read_by_its_names() -> None:
    """总金额 stands for 订单金额, 退款金额 for 申请退款金额."""
    rows = (
        "`2025-10-08 09:12:03,`42,`FY1,`SUCCESS,`CNY,`380.01,`1.00,`0,`0,`0.00,`,`2.28000",
        "`2025-10-08 09:13:03,`42,`FY1,`REFUND,`CNY,`0.00,`0.00,`50,`RF1,`120.01,`PROCESSING,`-0.72007",
    )
    payment, refund = lines(bill(*rows, header=OLD_HEADER, names="总交易单数,总金额"))

    assert (payment.amount_fen, payment.fee_fen_e3, payment.provider_status) == (38001, 228000, "SUCCESS")
    assert (refund.amount_fen, refund.fee_fen_e3, refund.provider_status) == (12001, -72007, "PROCESSING")


HEADER = (
    "交易时间,微信订单号,商户订单号,交易状态,货币种类,应结订单金额,订单金额,"
    "申请退款金额,微信退款单号,商户退款单号,退款状态,商品名称,手续费"
)
ROW = "`2025-10-08 09:12:03,`42,`FY1,`SUCCESS,`CNY,`379.01,`380.01,`0.00,`0,`0,`,`a,b,c,`0.00000"


def test_order_amount_is_taken_before_coupons() -> None:
    """应结订单金额 is less where a coupon was used; commas inside a value do not split it."""
    (line,) = lines(bill(ROW, header=HEADER))

    assert line.amount_fen == 38001


@pytest.mark.parametrize(
    ("status", "kind"), [("REVOKED", StatementLineKind.OTHER), ("FLOATING", StatementLineKind.OTHER)]
)
def test_trade_row_of_another_state_is_other(status: str, kind: StatementLineKind) -> None:
    """Reversals and news are shown, not guessed."""
    (line,) = lines(bill(ROW.replace("`SUCCESS", f"`{status}"), header=HEADER))

    assert (kind, status) == (line.kind, line.provider_status)


FUND_HEADER = "记账时间,微信支付业务单号,业务类型,收支类型,收支金额(元),业务凭证号"


@pytest.mark.parametrize(
    ("business", "direction", "kind", "amount_fen"),
    [
        ("交易", "收入", StatementLineKind.PAYMENT, 38001),
        ("退款", "支出", StatementLineKind.REFUND, 38001),
        ("扣除交易手续费", "支出", StatementLineKind.FEE, -38001),
        ("提现", "支出", StatementLineKind.OTHER, -38001),
        ("充值", "收入", StatementLineKind.OTHER, 38001),
        ("交易", "支出", StatementLineKind.OTHER, -38001),
    ],
)
def test_fund_row_kinds_and_signs(business: str, direction: str, kind: StatementLineKind, amount_fen: int) -> None:
    """Payments and refunds are never negative, other movements are signed."""
    row = f"`2025-10-08 09:12:03,`42,`{business},`{direction},`380.01,`FY1"
    (line,) = lines(bill(row, header=FUND_HEADER, names="资金流水总笔数,收入金额"), StatementKind.FUNDS)

    assert (kind, amount_fen) == (line.kind, line.amount_fen)


DAMAGED = {
    "empty": b"",
    "no-summary": f"{HEADER}\r\n{ROW}\r\n".encode(),
    "summary-without-values": f"{HEADER}\r\n{ROW}\r\n总交易单数,订单总金额\r\n".encode(),
    "count-differs": bill(ROW, header=HEADER, summary="`2.0,`380.01"),
    "count-odd": bill(ROW, header=HEADER, summary="`1.5,`380.01"),
    "no-count": bill(ROW, header=HEADER, names="甲,乙"),
    "more-after-the-summary": bill(ROW, header=HEADER) + b"x\r\n",
    "value-missing": bill(ROW.removesuffix(",`0.00000"), header=HEADER),
    "value-with-backtick": bill(ROW.replace("a,b,c", "a,`b"), header=HEADER),
    "amount-three-decimals": bill(ROW.replace("380.01", "380.011"), header=HEADER),
    "amount-negative": bill(ROW.replace("380.01", "-380.01"), header=HEADER),
    "amount-exponent": bill(ROW.replace("380.01", "3e2"), header=HEADER),
    "fee-six-decimals": bill(ROW.replace("0.00000", "0.000001"), header=HEADER),
    "time-odd": bill(ROW.replace("09:12:03", "9点"), header=HEADER),
    "another-currency": bill(ROW.replace("`CNY", "`USD"), header=HEADER),
    "no-amount-column": bill(ROW, header=HEADER.replace(",订单金额", ",金额")),
    "column-twice": bill(ROW, header=HEADER.replace("订单金额,", "商品名称,")),
    "html": b"<html>\r\n",
    "gbk": bill(ROW, header=HEADER).decode().encode("gbk", "ignore"),
    "line-too-long": bill(ROW.replace("a,b,c", "a" * 70_000), header=HEADER),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_bill_that_does_not_hold_is_unreadable(content: bytes) -> None:
    """Settle nothing by a file that is not understood to its end."""
    with pytest.raises(StatementUnreadable):
        lines(content)


def test_bill_without_rows_gives_no_lines() -> None:
    """An empty day may also come as a file."""
    assert lines(bill(header=HEADER)) == []


def test_fetched_bill_is_downloaded_as_told_and_read() -> None:
    """The token goes back byte for byte, signed as it travels, through the configured host."""
    packed = gzip.compress(TRADES)
    with playing(ticket(TRADES), file(packed)) as network:
        found = list(peer.provider().fetch_statement(DAY, StatementKind.TRADES))

    assert len(found) == 3
    assert f"{peer.BASE_URL}/v3/billdownload/file?token=Jf1i%2BUjk%7Cx&tartype=gzip" == network.sent[1].url
    assert "authorization" in network.sent[1].headers


def test_bill_is_fetched_through_the_configured_host_whatever_the_answer_names() -> None:
    """Intranet proxies and the standby host; and the signed header goes nowhere else."""
    elsewhere = "https://elsewhere.example/v3/billdownload/file?token=x"
    with playing(ticket(TRADES, download_url=elsewhere), file(TRADES)) as network:
        list(peer.provider(base_url="https://api2.mch.weixin.qq.com").fetch_statement(DAY, StatementKind.TRADES))

    assert network.sent[1].url == "https://api2.mch.weixin.qq.com/v3/billdownload/file?token=x"


@pytest.mark.parametrize(
    "changes",
    [
        {"hash_type": "MD5"},
        {"hash_value": "ab"},
        {"hash_value": None},
        {"download_url": None},
        {"download_url": "https://api.mch.weixin.qq.com/v3/other?x=1"},
        {"download_url": "https://[::1"},
    ],
    ids=repr,
)
def test_ticket_that_cannot_be_read_gives_no_verdict(changes: Any) -> None:
    """Nothing is downloaded on a guess."""
    with playing(ticket(TRADES, **changes)), pytest.raises(NoVerdict):
        peer.provider().fetch_statement(DAY, StatementKind.TRADES)


DAMAGED_FILES = {
    "other-bytes": TRADES + b" ",
    "cut-gzip": gzip.compress(TRADES)[:-9],
    "damaged-gzip": gzip.compress(TRADES)[:-30] + b"\x00" * 30,
    "html": b"<html>",
    "empty": b"",
}


@pytest.mark.parametrize("content", DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_file_with_another_digest_is_unreadable(content: bytes) -> None:
    """The digest came signed, the file did not; it is checked before the first line is given."""
    with playing(ticket(TRADES), file(content)), pytest.raises(StatementUnreadable):
        peer.provider().fetch_statement(DAY, StatementKind.TRADES)


def test_file_refused_by_code_is_classified() -> None:
    """A link lives five minutes."""
    with playing(ticket(TRADES), error(429, "FREQUENCY_LIMITED")), pytest.raises(ProviderUnavailable):
        peer.provider().fetch_statement(DAY, StatementKind.TRADES)


def test_file_that_unpacks_to_too_much_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small packed file may not fill the memory or take for ever."""
    monkeypatch.setattr(statement, "UNPACKED_BYTES_MAX", 1 << 20)
    bomb = gzip.compress(b"\x00" * (2 << 20))

    with pytest.raises(StatementUnreadable, match="too much"):
        lines(bomb)
