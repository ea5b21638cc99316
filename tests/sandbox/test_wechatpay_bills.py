"""WeChat Pay bills and certificates."""

import gzip
import hashlib

import pytest
from cryptography import x509

from sandbox.certificates import key_serial_text
from sandbox.clock import SandboxClock
from tests.sandbox.merchants import WechatpayMerchant, unsealed
from tests.sandbox.test_vectors import read
from tests.sandbox.test_wechatpay_orders import body, code

SHAPES = read("wire_shapes.json")["wechatpay"]
DAY = 86_400


def cells(line: str) -> list[str]:
    return line.removeprefix("`").split(",`")


def fetched(merchant: WechatpayMerchant, path: str) -> bytes:
    """The bill, downloaded and held against its hash."""
    offer = body(merchant.call("GET", path))
    answer = merchant.call("GET", offer["download_url"].removeprefix("https://api.mch.weixin.qq.com"))
    content = gzip.decompress(answer.body) if "GZIP" in path else answer.body
    assert sorted(offer) == SHAPES["bill_answer"]
    assert "Wechatpay-Signature" not in answer.headers
    assert hashlib.sha1(content).hexdigest() == offer["hash_value"]
    return content


@pytest.fixture
def traded(wechatpay: WechatpayMerchant, clock: SandboxClock) -> WechatpayMerchant:
    """A direct payment with a refund and a partner payment, both on 2026-03-01; it is now the next day."""
    wechatpay.paid()
    clock.advance(1)
    wechatpay.call("POST", "/v3/pay/partner/transactions/jsapi", wechatpay.partner_order())
    wechatpay.simulator.pay("FY202600000002")
    clock.advance(1)
    wechatpay.call("POST", "/v3/refund/domestic/refunds", wechatpay.refund("FY202600000001", "RF1", 101, 38001))
    wechatpay.create(out_trade_no="FY202600000003")
    clock.advance(DAY)
    return wechatpay


@pytest.mark.parametrize("packed", ["", "&tar_type=GZIP"], ids=["plain", "gzip"])
def test_trade_bill_has_the_vectors_layout_and_the_books_sums(traded: WechatpayMerchant, packed: str) -> None:
    """BOM, CRLF, header, three rows, summary; unpaid orders do not appear."""
    content = fetched(traded, f"/v3/bill/tradebill?bill_date=2026-03-01&bill_type=ALL{packed}")
    lines = content.decode("utf-8-sig").split("\r\n")
    rows = [dict(zip(lines[0].split(","), cells(line), strict=True)) for line in lines[1:4]]
    books = traded.simulator.books()

    assert content.startswith(b"\xef\xbb\xbf")
    assert lines[0] == SHAPES["trade_bill"]["head"]
    assert lines[4] == SHAPES["trade_bill"]["summary"]
    assert cells(lines[5]) == ["3.0", "800.02", "1.01", "0.00", "0.00000", "800.02", "1.01"]
    assert lines[6:] == [""]
    assert [row["交易状态"] for row in rows] == ["SUCCESS", "SUCCESS", "REFUND"]
    assert [row["微信订单号"] for row in rows[:2]] == [entry["provider_trade_no"] for entry in books["payments"]]
    assert (rows[2]["商户退款单号"], rows[2]["申请退款金额"], rows[2]["退款状态"]) == ("RF1", "1.01", "SUCCESS")
    assert [row["特约商户号"] for row in rows] == ["0", traded.keys.identity.sub_mchids[0], "0"]


def test_trade_bill_rows_agree_with_the_vector_where_values_are_fixed(traded: WechatpayMerchant) -> None:
    """Placeholders such as `0` for an absent refund number."""
    lines = fetched(traded, "/v3/bill/tradebill?bill_date=2026-03-01").decode("utf-8-sig").split("\r\n")
    names = lines[0].split(",")
    fixed = ["设备号", "货币种类", "代金券金额", "充值券退款金额", "手续费", "费率", "费率备注"]
    fixed += ["退款类型", "微信退款单号"]
    payment, vector = (
        dict(zip(names, cells(line), strict=True)) for line in (lines[1], SHAPES["trade_bill"]["payment_row"])
    )
    refund, refund_vector = (
        dict(zip(names, cells(line), strict=True)) for line in (lines[3], SHAPES["trade_bill"]["refund_row"])
    )

    assert [payment[name] for name in fixed] == [vector[name] for name in fixed]
    assert [refund[name] for name in fixed[:-1]] == [refund_vector[name] for name in fixed[:-1]]
    assert (refund["订单金额"], refund["应结订单金额"]) == ("0.00", "0.00")


@pytest.mark.parametrize(("kind", "columns", "rows"), [("ALL", 27, 3), ("SUCCESS", 20, 2), ("REFUND", 29, 1)])
def test_trade_bill_kinds_have_their_columns(traded: WechatpayMerchant, kind: str, columns: int, rows: int) -> None:
    """The number of columns and rows of each kind."""
    content = fetched(traded, f"/v3/bill/tradebill?bill_date=2026-03-01&bill_type={kind}")
    lines = content.decode("utf-8-sig").split("\r\n")

    assert len(lines[0].split(",")) == columns
    assert {len(cells(line)) for line in lines[1 : rows + 1]} == {columns}
    assert lines[rows + 1].startswith("总交易单数")


def test_trade_bill_of_one_sub_merchant_has_its_rows_alone(traded: WechatpayMerchant) -> None:
    """sub_mchid filters."""
    sub_mchid = traded.keys.identity.sub_mchids[0]

    content = fetched(traded, f"/v3/bill/tradebill?bill_date=2026-03-01&sub_mchid={sub_mchid}")

    assert content.count(b"\r\n") == 4
    assert b"FY202600000002" in content


def test_fund_flow_bill_has_the_vectors_layout(traded: WechatpayMerchant) -> None:
    """Running balance; partner money is not the provider's."""
    content = fetched(traded, "/v3/bill/fundflowbill?bill_date=2026-03-01")
    lines = content.decode("utf-8-sig").split("\r\n")

    assert (lines[0], lines[3]) == (SHAPES["fund_bill"]["head"], SHAPES["fund_bill"]["summary"])
    assert [cells(line)[5:8] for line in lines[1:3]] == [["收入", "380.01", "1380.01"], ["支出", "1.01", "1379.00"]]
    assert cells(lines[4]) == ["2.0", "1.0", "380.01", "1.0", "1.01"]


def test_bill_of_today_or_without_rows_is_refused(traded: WechatpayMerchant, clock: SandboxClock) -> None:
    """Today is too early, yesterday's is being made before nine, an empty day has none."""
    path = "/v3/bill/tradebill?bill_date="
    today = code(traded.call("GET", f"{path}2026-03-02"))
    empty = code(traded.call("GET", f"{path}2026-02-28"))
    malformed = code(traded.call("GET", f"{path}01.03.2026"))
    clock.advance(DAY - 2 * 3600)
    early = code(traded.call("GET", f"{path}2026-03-02"))

    assert today == (400, "INVALID_REQUEST")
    assert empty == (400, "NO_STATEMENT_EXIST")
    assert malformed == (400, "PARAM_ERROR")
    assert early == (400, "STATEMENT_CREATING")


def test_bill_link_lives_five_minutes(traded: WechatpayMerchant, clock: SandboxClock) -> None:
    """Then the token is refused."""
    offer = body(traded.call("GET", "/v3/bill/tradebill?bill_date=2026-03-01"))
    path = offer["download_url"].removeprefix("https://api.mch.weixin.qq.com")
    clock.advance(299)
    in_time = traded.call("GET", path).status
    clock.advance(1)

    assert (in_time, traded.call("GET", path).status) == (200, 400)


def test_certificates_decrypt_and_grow_with_rotation(wechatpay: WechatpayMerchant) -> None:
    """Old and new are both listed; the new one signs."""
    serial = wechatpay.simulator.rotate_certificate()
    answer = wechatpay.call("GET", "/v3/certificates")
    listed = body(answer)["data"]
    certificates = [
        x509.load_pem_x509_certificate(unsealed(wechatpay.keys.apiv3_key, item["encrypt_certificate"]))
        for item in listed
    ]

    assert sorted(listed[0]) == SHAPES["certificate"]
    assert sorted(listed[0]["encrypt_certificate"]) == SHAPES["encrypt_certificate"]
    assert [item["serial_no"] for item in listed] == [key_serial_text(item) for item in certificates]
    assert [item["serial_no"] for item in listed] == [wechatpay.keys.identity.platform_serial, serial]
    assert answer.headers["Wechatpay-Serial"] == serial


def test_certificates_are_not_served_in_public_key_mode(wechatpay: WechatpayMerchant) -> None:
    """404: configure the public key instead."""
    key_id = wechatpay.keys.identity.public_key_id

    answer = wechatpay.call("GET", "/v3/certificates", serial=key_id)

    assert code(answer) == (404, "RESOURCE_NOT_EXISTS")


def test_foreign_public_key_id_is_refused(wechatpay: WechatpayMerchant) -> None:
    """An id that is not this merchant's."""
    answer = wechatpay.call("GET", "/v3/certificates", serial="PUB_KEY_ID_0100")

    assert code(answer) == (400, "PARAM_ERROR")


def test_books_agree_with_what_was_done(traded: WechatpayMerchant) -> None:
    """Two payments, one refund, in fen."""
    books = traded.simulator.books()

    assert [entry["amount_fen"] for entry in books["payments"]] == [38001, 42001]
    assert [(entry["out_refund_no"], entry["amount_fen"]) for entry in books["refunds"]] == [("RF1", 101)]
