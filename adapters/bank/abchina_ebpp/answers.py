"""
The answers' text. Source: sheet of the bank apps, section 7; vector abc_ebpp.json: signed over its UTF-8 bytes, then
the whole is encoded in GBK under a declaration of gb2312, and sent in base64. The answer without a bill is unverified.
"""

import base64
import re
from datetime import datetime
from typing import Final

from adapters.bank.abchina_ebpp.config import Config
from adapters.bank.abchina_ebpp.messages import Conditions
from adapters.bank.trustpay import ALGORITHM, BANK_CHARSET, sign
from gateway.domain.biller import Bill, BillState
from gateway.domain.clock import CHINA
from gateway.domain.money import yuan_from_fen

_STATUS: Final = {BillState.UNPAID: "1", BillState.PAID: "2"}
_MARKUP: Final = re.compile(r"[<>&\x00-\x1f\x7f]")


def bills_answer(config: Config, conditions: Conditions | None, bills: tuple[Bill, ...]) -> bytes:
    """One EBppData for each wanted bill; one that says false when there is none."""
    wanted = [bill for bill in bills if conditions is not None and bill.state in conditions.states]
    blocks = [_block(config, conditions, bill) for bill in wanted if conditions is not None]
    return _sealed(config, "".join(blocks) or _nothing(config))


def bank_amount(amount_fen: int) -> str:
    """Yuan as the vendor's SDK writes it, a double's text: 40000 is 400.0, 38050 is 380.5, 38001 is 380.01."""
    text = yuan_from_fen(amount_fen)
    return text[:-1] if text.endswith("0") else text


def _nothing(config: Config) -> str:
    return f"<EBppData><Result>false</Result><BillerNo>{config.biller_id}</BillerNo><BillData></BillData></EBppData>"


def _block(config: Config, conditions: Conditions, bill: Bill) -> str:
    details = [f"{bill.insured_year}年度", config.area_names.get(bill.region, "")]
    data = "".join(
        (
            _tag("BillNo", bill.bill_no),
            _tag("BillName", config.bill_name),
            _tag("PayerValue1", conditions.number),
            _tag("PayerValue2", conditions.name),
            _tag("Amount", bank_amount(bill.amount_fen)),
            _tag("EffectDate", _date(bill.opened_at)),
            _tag("ExpiredDate", _date(bill.expires_at)),
            _tag("CreateDate", _date(bill.opened_at)),
            _tag("Remark", ""),
            _tag("Status", _STATUS[bill.state]),
            f"<VerifyDomain>{_tag('VerifyName1', conditions.year)}</VerifyDomain>",
            f"<BillDetail>{''.join(_tag('BillAttrName', text) for text in details if text)}</BillDetail>",
        )
    )
    head = f"<Result>true</Result><BillerNo>{config.biller_id}</BillerNo>"
    return f"<EBppData>{head}<BillData>{data}</BillData></EBppData>"


def _tag(name: str, text: str) -> str:
    """Text that holds no markup, and only what GBK can write: else the bank would verify other bytes."""
    safe = _MARKUP.sub("?", text).encode(BANK_CHARSET, "replace").decode(BANK_CHARSET)
    return f"<{name}>{safe}</{name}>"


def _date(instant: datetime) -> str:
    return instant.astimezone(CHINA).strftime("%Y-%m-%d")


def _sealed(config: Config, content: str) -> bytes:
    signature = sign(config.identity.private_key, content.encode())
    document = (
        '<?xml version="1.0" encoding="gb2312"?>'
        f"<Message>{content}</Message>"
        f"<Signature-Algorithm>{ALGORITHM}</Signature-Algorithm><Signature>{signature}</Signature>"
    )
    return base64.b64encode(document.encode(BANK_CHARSET))
