"""Alipay's words and what each of them means for us: tables, each with a stated default."""

from enum import StrEnum
from typing import Final

from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.statement import StatementLineKind

API_CREATE: Final = "alipay.trade.create"
API_PRECREATE: Final = "alipay.trade.precreate"
API_PAGE_PAY: Final = "alipay.trade.page.pay"
API_WAP_PAY: Final = "alipay.trade.wap.pay"
API_APP_PAY: Final = "alipay.trade.app.pay"
API_QUERY: Final = "alipay.trade.query"
API_CLOSE: Final = "alipay.trade.close"
API_CANCEL: Final = "alipay.trade.cancel"
API_REFUND: Final = "alipay.trade.refund"
API_REFUND_QUERY: Final = "alipay.trade.fastpay.refund.query"
API_BILL: Final = "alipay.data.dataservice.bill.downloadurl.query"
API_CERTIFICATE: Final = "alipay.open.app.alipaycert.download"

_MONEY_APIS: Final = frozenset({API_CREATE, API_PRECREATE, API_CANCEL, API_REFUND})


class Action(StrEnum):
    """What to do about an answer's code."""

    READ = "read"  # 10000: the call was accepted, which is neither paid nor refunded
    NOT_FOUND = "not_found"  # Alipay knows nothing of it
    RETRY = "retry"  # turned away for certain: the same number again, later
    ASK = "ask"  # the outcome is unknown: query
    FAIL = "fail"  # refused for good
    MISCONFIGURED = "misconfigured"  # refused for good, and an operator must act


STATE_BY_TRADE_STATUS: Final = {
    "WAIT_BUYER_PAY": ReportedState.PENDING,
    "TRADE_SUCCESS": ReportedState.PAID,
    "TRADE_FINISHED": ReportedState.PAID,  # refund window over; the money stays received
    "TRADE_CLOSED": ReportedState.CLOSED,  # unpaid OR fully refunded: wire.py looks at the refund fields first
}

REFUND_STATE_BY_REFUND_STATUS: Final = {
    "REFUND_SUCCESS": ReportedRefundState.SUCCEEDED,
}

_ACTION_BY_CODE: Final = {
    "10000": Action.READ,
    "10003": Action.ASK,  # under way (barcode pay)
    "20000": Action.ASK,
    "20001": Action.MISCONFIGURED,
    "40001": Action.MISCONFIGURED,
    "40003": Action.FAIL,
    "40005": Action.RETRY,
    "40006": Action.MISCONFIGURED,
}
"""Source: vendor's common error codes page; 10003, 40003 and 40005 by third-party code. Any other code: ASK."""

_REFUSED_BEFORE_BUSINESS: Final = frozenset({"20001", "40001", "40002", "40006"})

_ACTION_BY_SUB_CODE: Final = {
    "ACQ.SYSTEM_ERROR": Action.ASK,
    "aop.ACQ.SYSTEM_ERROR": Action.ASK,
    "AQC.SYSTEM_ERROR": Action.ASK,  # the vendor's own misspelling, on cancel
    "ACQ.INVALID_PARAMETER": Action.FAIL,
    "ACQ.ACCESS_FORBIDDEN": Action.MISCONFIGURED,
    "ACQ.PARTNER_ERROR": Action.MISCONFIGURED,
    "ACQ.TRADE_HAS_SUCCESS": Action.ASK,
    "ACQ.TRADE_HAS_CLOSE": Action.ASK,
    "ACQ.CONTEXT_INCONSISTENT": Action.FAIL,
    "ACQ.TRADE_BUYER_NOT_MATCH": Action.FAIL,
    "ACQ.BUYER_SELLER_EQUAL": Action.FAIL,
    "ACQ.BUYER_ENABLE_STATUS_FORBID": Action.FAIL,
    "ACQ.SELLER_BEEN_BLOCKED": Action.MISCONFIGURED,
    "ACQ.TOTAL_FEE_EXCEED": Action.FAIL,
    "ACQ.EXIST_FORBIDDEN_WORD": Action.FAIL,
    "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR": Action.FAIL,
    "ACQ.BEYOND_PAY_RESTRICTION": Action.FAIL,
    "ACQ.TRADE_STATUS_ERROR": Action.ASK,
    "ACQ.REASON_TRADE_STATUS_INVALID": Action.ASK,
    "ACQ.REASON_ILLEGAL_STATUS": Action.ASK,
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": Action.RETRY,  # nothing moved; the same out_request_no after a top-up
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": Action.FAIL,
    "ACQ.REASON_TRADE_REFUND_FEE_ERR": Action.FAIL,
    "ACQ.DISCORDANT_REPEAT_REQUEST": Action.FAIL,
    "ACQ.TRADE_HAS_FINISHED": Action.FAIL,
    "ACQ.TRADE_NOT_ALLOW_REFUND": Action.FAIL,
    "ACQ.REASON_TRADE_BEEN_FREEZEN": Action.FAIL,
    "ACQ.TRADE_CANCEL_TIME_OUT": Action.FAIL,
    "ACQ.CANCEL_NOT_ALLOWED": Action.FAIL,
}
"""Sub-codes of 40004 Business Failed. Source: vendor's API pages for create, close, refund, cancel (mirrors)."""

_ACTION_BY_API_AND_SUB_CODE: Final = {
    (API_CREATE, "ACQ.TRADE_HAS_CLOSE"): Action.FAIL,  # this number is burnt
    (API_PRECREATE, "ACQ.TRADE_HAS_CLOSE"): Action.FAIL,
    (API_QUERY, "ACQ.TRADE_NOT_EXIST"): Action.NOT_FOUND,
    (API_CLOSE, "ACQ.TRADE_NOT_EXIST"): Action.NOT_FOUND,
    (API_CANCEL, "ACQ.TRADE_NOT_EXIST"): Action.NOT_FOUND,
    (API_REFUND_QUERY, "ACQ.TRADE_NOT_EXIST"): Action.NOT_FOUND,
    (API_REFUND, "ACQ.TRADE_NOT_EXIST"): Action.FAIL,  # the wrong number
    (API_REFUND, "ACQ.TRADE_HAS_CLOSE"): Action.FAIL,  # nothing is left to refund: the same number never succeeds
    (API_BILL, "isp.bill_not_exist"): Action.NOT_FOUND,
    (API_CANCEL, "ACQ.REASON_TRADE_REFUND_FEE_ERR"): Action.ASK,  # already refunded
}


def action_of(api: str, code: str, sub_code: str, *, signed: bool) -> Action:
    """
    What an answer asks of us.

    An unsigned answer proves nothing: it is believed only where the request was turned away before any business, so
    that it never pays, closes or refunds.
    """
    if not signed and code not in _REFUSED_BEFORE_BUSINESS:
        return Action.ASK
    if code == "40002":
        return Action.MISCONFIGURED if sub_code.startswith("isv.") else Action.FAIL
    if code == "40004":
        return _business_failure(api, sub_code)
    return _ACTION_BY_CODE.get(code, Action.ASK)


def _business_failure(api: str, sub_code: str) -> Action:
    """By the tables; else isp.* is the provider's fault (ASK), and where money may have moved nothing is certain."""
    known = _ACTION_BY_API_AND_SUB_CODE.get((api, sub_code), _ACTION_BY_SUB_CODE.get(sub_code))
    if known is not None:
        return known
    return Action.ASK if sub_code.startswith("isp.") or api in _MONEY_APIS else Action.FAIL


LINE_KIND_BY_TRADE_TYPE: Final = {
    "交易": StatementLineKind.PAYMENT,
    "退款": StatementLineKind.REFUND,
}
"""业务类型 of the business bill (业务明细). Source: samples in four public parsers; vector bill.json. Others: OTHER."""

LINE_KIND_BY_FUNDS_TYPE: Final = {
    "在线支付": StatementLineKind.PAYMENT,
    "交易付款": StatementLineKind.PAYMENT,
    "交易退款": StatementLineKind.REFUND,
    "退款": StatementLineKind.REFUND,
    "收费": StatementLineKind.FEE,
}
"""业务类型 of the account bill (账务明细); unverified. Others: OTHER."""
