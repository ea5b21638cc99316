"""Reads WeChat's payment and refund objects, whichever way they came. Refuses doubtful numbers and amounts."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.wechatpay.config import Config
from adapters.wechatpay.tables import payment_state_of, refund_state_of
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.report import (
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)

_OUR_NUMBER: Final = re.compile(r"[0-9A-Za-z_|*@-]{1,64}")
_THEIR_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_WORD: Final = re.compile(r"[!-~]{1,32}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_INSTANT: Final = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def read_payment(config: Config, members: Mapping[str, Any], source: Source) -> ProviderReport:
    """
    Read a payment object: the query's answer or the decrypted callback.

    The amount is `amount.total`: `payer_total` is less where a coupon was used.
    Source: sheet section 4.5; vector `callbacks.json`.

    Raises:
        ValueError: With the name of the member that is missing or malformed.
    """
    trade_state = _word(members, "trade_state")
    state = payment_state_of(trade_state)
    amount = _object(members, "amount")
    total_fen = _fen(amount, "total")
    if state is ReportedState.PAID and total_fen is None:
        raise ValueError("amount.total")
    return ProviderReport(
        source=source,
        out_trade_no=_required(members, "out_trade_no", _OUR_NUMBER),
        state=state,
        provider_status=trade_state,
        amount_fen=total_fen,
        currency=_optional(amount, "currency", _CURRENCY),
        provider_trade_no=_optional(members, "transaction_id", _THEIR_NUMBER),
        occurred_at=_instant(members, "success_time"),
        contradictions=_contradictions(config, members),
    )


def read_refund_callback(config: Config, members: Mapping[str, Any]) -> ProviderReport:
    """
    Read a decrypted refund callback, whose state word is `refund_status`.

    Source: sheet section 6.3; vector `callbacks.json`.

    Raises:
        ValueError: As `read_payment`.
    """
    contradictions = _contradictions(config, members)
    return _refund_report(members, "refund_status", Source.CALLBACK, contradictions)


def read_refund(members: Mapping[str, Any], source: Source) -> ProviderReport:
    """
    Read a refund object, whose state word is `status`; it names no merchant.

    Source: sheet section 4.7.

    Raises:
        ValueError: As `read_payment`.
    """
    return _refund_report(members, "status", source, ())


def no_such_payment(out_trade_no: str, source: Source, provider_status: str) -> ProviderReport:
    """WeChat does not know this number."""
    return ProviderReport(
        source=source, out_trade_no=out_trade_no, state=ReportedState.NOT_FOUND, provider_status=provider_status
    )


def no_such_refund(out_trade_no: str, out_refund_no: str, provider_status: str) -> ProviderReport:
    """WeChat does not know this refund; of the payment itself that says nothing."""
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=provider_status,
        refund=RefundReport(out_refund_no=out_refund_no, state=ReportedRefundState.NOT_FOUND),
    )


def _refund_report(
    members: Mapping[str, Any], status_name: str, source: Source, contradictions: tuple[str, ...]
) -> ProviderReport:
    status = _word(members, status_name)
    amount = _object(members, "amount")
    return ProviderReport(
        source=source,
        out_trade_no=_required(members, "out_trade_no", _OUR_NUMBER),
        state=ReportedState.PAID,
        provider_status=status,
        amount_fen=_fen(amount, "total"),
        currency=_optional(amount, "currency", _CURRENCY),
        provider_trade_no=_optional(members, "transaction_id", _THEIR_NUMBER),
        refund=RefundReport(
            out_refund_no=_required(members, "out_refund_no", _OUR_NUMBER),
            state=refund_state_of(status),
            amount_fen=_fen(amount, "refund"),
            provider_refund_no=_optional(members, "refund_id", _THEIR_NUMBER),
            occurred_at=_instant(members, "success_time"),
        ),
        contradictions=contradictions,
    )


def _contradictions(config: Config, members: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Names of the identity members that are not this account's. Merchant numbers must be there, apps need not.

    A partner's refund callback may say `mchid` for `sp_mchid`. Source: sheet sections 4.5, 6.3.
    """
    if config.partner:
        own = "sp_mchid" if members.get("sp_mchid") or not members.get("mchid") else "mchid"
        needed = {own: config.mchid, "sub_mchid": config.sub_mchid}
        allowed = {"sp_appid": config.appid} | ({"sub_appid": config.sub_appid} if config.sub_appid else {})
    else:
        needed = {"mchid": config.mchid}
        allowed = {"appid": config.appid, "sub_mchid": ""}
    wrong = [name for name, value in needed.items() if members.get(name) != value]
    wrong += [name for name, value in allowed.items() if members.get(name) not in (None, "", value)]
    return tuple(wrong)


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(name)
    return value


def _required(members: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = _optional(members, name, pattern)
    if text is None:
        raise ValueError(name)
    return text


def _optional(members: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str | None:
    value = members.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(name)
    return value


def _word(members: Mapping[str, Any], name: str) -> str:
    return _required(members, name, _WORD)


def _fen(amount: Mapping[str, Any], name: str) -> int | None:
    value = amount.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= AMOUNT_FEN_MAX:
        raise ValueError(f"amount.{name}")
    return value


def _instant(members: Mapping[str, Any], name: str) -> datetime | None:
    """A time we cannot read is a time unsaid: no payment is given up for it."""
    text = members.get(name)
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
