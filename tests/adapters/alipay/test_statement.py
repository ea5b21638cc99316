"""Bills: the whole file holds, or nothing of it is used."""

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.alipay.statement import Bill, read_bill
from adapters.alipay.tables import API_BILL
from gateway.domain.clock import CHINA
from gateway.domain.provider import NoVerdict, ProviderUnavailable, RequestRefused
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind, StatementUnreadable
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, ok, provider, replies

DAY = date(2026, 3, 1)
_FILE = (peer.VECTORS / "bill_trade_20260301.csv.zip").read_bytes()
_LINK = "https://dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&downloadFileName=2088.csv.zip"
_READY = datetime(2026, 3, 2, 10, 0, tzinfo=CHINA)


def _members() -> list[tuple[str, str]]:
    archive = zipfile.ZipFile(io.BytesIO(_FILE))
    return [(item.filename, archive.read(item).decode("gbk")) for item in archive.infolist()]


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(change: Callable[[str], str]) -> bytes:
    (name, detail), (other, summary) = _members()
    return zipped((name, change(detail).encode("gbk")), (other, summary.encode("gbk")))


def read(content: bytes, kind: StatementKind = StatementKind.TRADES) -> list[StatementLine]:
    return list(read_bill(content, Bill(day=DAY, kind=kind, seller_id=peer.SELLER_ID)))


# --- fetching ---------------------------------------------------------------------------------------------------------


def _fetch(*scripted: peer.Reply, now: datetime = _READY, kind: StatementKind = StatementKind.TRADES) -> Any:
    with replies(*scripted) as wire:
        lines = list(provider(peer.FixedClock(now)).fetch_statement(DAY, kind))
    return wire, lines


def test_bill_is_asked_for_and_downloaded_by_https() -> None:
    """An http link with escaped slashes is opened by https; the signed answer told it."""
    link = peer.compact(ok(bill_download_url=_LINK.replace("https:", "http:"))).replace("/", "\\/")

    wire, lines = _fetch(answer_body(API_BILL, link), _FILE)

    assert wire.content() == {"bill_type": "trade", "bill_date": "2026-03-01"}
    assert (wire.sent[1].method, wire.sent[1].url) == ("GET", _LINK)
    assert [line.amount_fen for line in lines] == [40000, 10000, 38050]


def test_simulator_without_tls_keeps_its_http_link() -> None:
    """Who speaks http to the gateway itself gets the file by http, too."""
    link = "http://127.0.0.1:9000/bill.zip"
    with replies(answer_body(API_BILL, ok(bill_download_url=link)), _FILE) as wire:
        built = provider(peer.FixedClock(_READY), base_url="http://127.0.0.1:9000/gateway.do")
        list(built.fetch_statement(DAY, StatementKind.TRADES))

    assert wire.sent[1].url == link


@pytest.mark.parametrize("day", [DAY, DAY + timedelta(days=1)], ids=["today", "tomorrow"])
def test_bill_of_a_day_that_is_not_over_is_not_asked_for(day: date) -> None:
    """Alipay makes none; nothing is sent."""
    with replies() as wire, pytest.raises(ProviderUnavailable):
        provider(peer.FixedClock(datetime(2026, 3, 1, 23, 59, 59, tzinfo=CHINA))).fetch_statement(
            day, StatementKind.TRADES
        )

    assert wire.sent == []


_NONE = answer_body(API_BILL, failed("40004", "isp.bill_not_exist"))


@pytest.mark.parametrize("hours", [0, 10, 23], ids=str)
def test_missing_bill_of_yesterday_is_not_ready(hours: int) -> None:
    """Too early and none traded look alike."""
    with pytest.raises(ProviderUnavailable):
        _fetch(_NONE, now=datetime(2026, 3, 2, hours, 30, tzinfo=CHINA))


def test_missing_bill_of_the_day_before_is_an_empty_day() -> None:
    """Once the whole next day has passed, nothing was traded."""
    assert _fetch(_NONE, now=datetime(2026, 3, 3, tzinfo=CHINA))[1] == []


@pytest.mark.parametrize(
    ("members", "error"),
    [
        (ok(), NoVerdict),
        (ok(bill_download_url=7), StatementUnreadable),
        (ok(bill_download_url="ftp://x/y"), StatementUnreadable),
        (ok(bill_download_url="file:///etc/passwd"), StatementUnreadable),
        (ok(bill_download_url="http://[::1"), StatementUnreadable),
        (failed("40004", "isv.invalid-arguments"), RequestRefused),
        (failed("20000"), NoVerdict),
    ],
    ids=["no-link", "number", "ftp", "file", "broken", "refused", "busy"],
)
def test_bill_answer_without_a_usable_link_brings_nothing(members: dict[str, Any], error: type[Exception]) -> None:
    """Only a web address from a signed answer is opened."""
    with pytest.raises(error):
        _fetch(answer_body(API_BILL, members))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((404, b""), ProviderUnavailable),
        ((302, b""), ProviderUnavailable),
        (b"<html>expired</html>", StatementUnreadable),
        (_FILE[: len(_FILE) // 2], StatementUnreadable),
        (b"", StatementUnreadable),
    ],
    ids=["gone", "redirect", "html", "half", "empty"],
)
def test_download_that_is_no_bill_brings_nothing(reply: peer.Reply, error: type[Exception]) -> None:
    """A link lives 30 seconds; the next try gets a new one."""
    with pytest.raises(error):
        _fetch(answer_body(API_BILL, ok(bill_download_url=_LINK)), reply)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_refund_row_is_positive_and_its_fee_comes_back() -> None:
    """Direction is in the kind; the fee is what we pay, so a returned one is below zero."""
    refund = read(_FILE)[1]

    assert (refund.kind, refund.amount_fen, refund.fee_fen_e3) == (StatementLineKind.REFUND, 10000, -60000)
    assert refund.out_refund_no == "FY20260301000001-R1"


def test_row_of_another_kind_keeps_its_sign() -> None:
    """业务类型 that we do not know is OTHER."""
    lines = read(changed(lambda text: text.replace("退款\t", "调账\t").replace("#退款合计：1笔", "#退款合计：0笔")))

    assert (lines[1].kind, lines[1].amount_fen, lines[1].provider_status) == (StatementLineKind.OTHER, -10000, "调账")


def test_members_in_the_other_order_are_told_apart_by_their_first_line() -> None:
    """Names are not consulted."""
    (_, detail), (_, summary) = _members()

    lines = read(zipped(("a", summary.encode("gbk")), ("b", detail.encode("gbk"))))

    assert lines == read(_FILE)


def test_empty_day_with_a_file_gives_no_lines() -> None:
    """Header, end and totals of zero."""

    def emptied(text: str) -> str:
        kept = [line for line in text.splitlines(keepends=True) if not line.startswith("2026")]
        return "".join(kept).replace("合计：2笔", "合计：0笔").replace("合计：1笔", "合计：0笔")

    assert read(changed(emptied)) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda text: text.split("#-----------------------------------------业务明细列表结束")[0], id="cut"
        ),
        pytest.param(lambda text: text.replace("#交易合计：2笔", "#交易合计：3笔"), id="payments-miscounted"),
        pytest.param(lambda text: text.replace("#退款合计：1笔", "#退款合计：2笔"), id="refunds-miscounted"),
        pytest.param(lambda text: text.replace("#交易合计", "#合计"), id="no-totals"),
        pytest.param(lambda text: text.replace(peer.SELLER_ID, "2088000000000000"), id="another-account"),
        pytest.param(
            lambda text: text.replace("#起始日期：[2026年03月01日", "#起始日期：[2026年03月02日"), id="another-day"
        ),
        pytest.param(lambda text: text.replace(",居民医保缴费,", ",居民,医保缴费,"), id="comma-in-a-cell"),
        pytest.param(lambda text: text.replace("400.00,400.00", "4e2,400.00"), id="amount-malformed"),
        pytest.param(lambda text: text.replace(",400.00,400.00", ",-400.00,400.00"), id="payment-below-zero"),
        pytest.param(lambda text: text.replace("-100.00,-100.00", "100.00,-100.00"), id="refund-above-zero"),
        pytest.param(lambda text: text.replace("-2.40", "-2.401"), id="fee-malformed"),
        pytest.param(lambda text: text.replace("2026-03-01 10:20:41", "2026-03-01"), id="time-malformed"),
        pytest.param(lambda text: text.replace("订单金额（元）", "金额（元）"), id="column-missing"),
        pytest.param(lambda text: text.replace("备注", "分润（元）"), id="column-twice"),
        pytest.param(lambda text: text.replace("#支付宝业务明细查询", "#支付宝业务汇总查询"), id="summary-twice"),
        pytest.param(lambda text: text + "2026030122001400001400000009\t,x\r\n", id="row-after-the-end"),
        pytest.param(lambda text: text.replace("居民医保缴费", "长" * 5000), id="line-too-long"),
        pytest.param(lambda _text: "", id="empty"),
    ],
)
def test_bill_that_does_not_hold_gives_no_line(change: Callable[[str], str]) -> None:
    """One malformed line, or totals that do not hold, spoil the whole: not even the first line comes out."""
    with pytest.raises(StatementUnreadable):
        read_bill(changed(change), Bill(day=DAY, kind=StatementKind.TRADES, seller_id=peer.SELLER_ID))


def test_file_that_is_not_gbk_is_unreadable() -> None:
    """Bytes outside GB18030."""
    (name, detail), _ = _members()

    with pytest.raises(StatementUnreadable):
        read(zipped((name, detail.encode("gbk").replace("居民医保".encode("gbk"), b"\xff\xff"))))


def test_zip_bomb_is_not_unpacked() -> None:
    """A ratio that no bill has is refused by the directory alone."""
    (name, detail), _ = _members()

    with pytest.raises(StatementUnreadable, match="too much"):
        read(zipped((name, detail.encode("gbk")), ("bomb", b"0" * (8 << 20))))


def test_zip_with_many_members_is_not_opened() -> None:
    """A bill has two."""
    with pytest.raises(StatementUnreadable, match="too much"):
        read(zipped(*((f"m{number}", b"x") for number in range(9))))


def test_damaged_zip_is_unreadable() -> None:
    """Every member's checksum is checked before the first line is given."""
    stored = changed(lambda text: text)
    content = zipped(*((name, text.encode("gbk")) for name, text in _members()), compression=zipfile.ZIP_STORED)
    damaged = content.replace(b"380.50,380.50", b"380.51,380.51", 1)

    assert read(stored) == read(content)
    assert damaged != content
    with pytest.raises(StatementUnreadable):
        read(damaged)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(position=st.integers(0, len(_FILE) - 1), value=st.integers(0, 255), cut=st.booleans())
def test_bill_with_any_damage_raises_only_unreadable(position: int, value: int, cut: bool) -> None:
    """One byte changed or the end gone: the same lines, or StatementUnreadable."""
    damaged = _FILE[:position] if cut else _FILE[:position] + bytes([value]) + _FILE[position + 1 :]
    try:
        lines = read(damaged)
    except StatementUnreadable:
        return
    assert lines == read(_FILE)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=400))
def test_member_of_any_bytes_raises_only_unreadable(content: bytes) -> None:
    """Whatever follows a good first line."""
    title = "#支付宝业务明细查询\r\n".encode("gbk")
    with pytest.raises(StatementUnreadable):
        read(zipped(("a", title + content)))


# --- the account bill -------------------------------------------------------------------------------------------------

_FUNDS_HEADER = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注"
)
_FUNDS = "\r\n".join(
    [
        "#支付宝账务明细查询",
        f"#账号：[{peer.SELLER_ID}0156]",
        "#起始日期：[2026年03月01日 00:00:00]   终止日期：[2026年03月02日 00:00:00]",
        "#---账务明细列表---",
        _FUNDS_HEADER,
        f"1\t,{peer.TRADE_NUMBER}\t,{peer.NUMBER}\t,医保,2026-03-01 10:20:41,x,380.01,,380.01,,在线支付\t,",
        f"2\t,{peer.TRADE_NUMBER}\t,{peer.NUMBER}\t,,2026-03-01 10:20:42,x,,-2.28,377.73,,收费\t,",
        f"3\t,{peer.TRADE_NUMBER}\t,{peer.NUMBER}\t,医保,2026-03-01 11:00:00,x,0.00,-120.01,257.72,,交易退款\t,",
        "4\t,b4\t,,,2026-03-01 12:00:00,x,,-200.00,57.72,,提现\t,",
        "5\t,b5\t,,,2026-03-01 12:30:00,x,,-1.00,56.72,,在线支付\t,",
        "#---账务明细列表结束---",
        "",
    ]
)


def test_account_bill_is_read_by_direction() -> None:
    """Money in and out of the balance; a payment that we made ourselves is no payment to us."""
    lines = read(zipped(("a", _FUNDS.encode("gbk"))), StatementKind.FUNDS)

    assert [(line.kind, line.amount_fen) for line in lines] == [
        (StatementLineKind.PAYMENT, 38001),
        (StatementLineKind.FEE, -228),
        (StatementLineKind.REFUND, 12001),
        (StatementLineKind.OTHER, -20000),
        (StatementLineKind.OTHER, -100),
    ]
    assert (lines[0].out_trade_no, lines[0].provider_trade_no) == (peer.NUMBER, peer.TRADE_NUMBER)


def test_account_bill_without_an_end_is_unreadable() -> None:
    """It has no totals, so its last line alone tells that it is whole."""
    with pytest.raises(StatementUnreadable, match="no end"):
        read(zipped(("a", _FUNDS.split("#---账务明细列表结束")[0].encode("gbk"))), StatementKind.FUNDS)


def test_account_bill_is_asked_for_as_signcustomer() -> None:
    """The other bill_type."""
    wire, lines = _fetch(
        answer_body(API_BILL, ok(bill_download_url=_LINK)),
        zipped(("a", _FUNDS.encode("gbk"))),
        kind=StatementKind.FUNDS,
    )

    assert wire.content()["bill_type"] == "signcustomer"
    assert len(lines) == 5


def test_long_bill_is_read_in_bounded_memory() -> None:
    """20,000 rows pass one by one; what is held does not grow with them."""
    (_, detail), _ = _members()
    head, tail = (
        detail.split("2026030122001400001400000001", 1)[0],
        detail[detail.index("#-----------------------------------------业务明细列表结束") :],
    )
    row = detail.splitlines(keepends=True)[7]
    rows = "".join(row.replace("HF20260301000003", f"HF{number:014d}") for number in range(20_000))
    content = changed(
        lambda _text: head + rows + tail.replace("合计：2笔", "合计：20000笔").replace("合计：1笔", "合计：0笔")
    )
    bill = Bill(day=DAY, kind=StatementKind.TRADES, seller_id=peer.SELLER_ID)
    tracemalloc.start()
    total = sum(1 for _line in read_bill(content, bill))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert total == 20_000
    assert peak < len(content) + (2 << 20)
