"""What the sandbox must know of the collecting bank: the payer's page, control calls, two accounts of the gateway."""

from collections.abc import Mapping
from typing import Final

from sandbox.bank_biller.keys import PROVIDER, BankBillerKeys, load_keys, new_files
from sandbox.bank_biller.simulator import BankBillerSimulator
from sandbox.kind import ControlCall, Kind, Page, Reference, Sections, integer_of, text_of
from sandbox.wire import Json

_STATE_TEXTS: Final = {
    "UNKNOWN": "已扣款，结果未知",
    "PAID": "已缴费",
    "RETURNED": "已退回缴费人",
    "REVERSED": "已冲正",
    "STUCK": "转人工处理",
}
_BILL_TEXTS: Final = {"UNPAID": "待缴", "PAID": "已缴", "CLOSED": "已关闭"}


def configuration(keys: BankBillerKeys, base_url: str, reference: Reference) -> Sections:
    """The bank as an institution of BBP/1, and as the Agricultural Bank's own biller mode."""
    del base_url  # the bank calls us
    identity = keys.identity
    return {
        "accounts.bank_bbp": {
            "provider": "bank_bbp",
            "inst_id": identity.inst_id,
            "signing_key": reference("bank_biller_gateway_private_key.pem"),
            "signing_key_id": identity.gateway_key_id,
        },
        "accounts.bank_bbp.billers": {identity.biller_id: list(identity.regions)},
        "accounts.bank_bbp.bank_keys": {
            identity.key_id: reference("bank_biller_bank_public_key.pem"),
            identity.renewed_key_id: reference("bank_biller_renewed_public_key.pem"),
        },
        "accounts.bank_abchina_ebpp": {
            "provider": "bank_abchina_ebpp",
            "merchant_id": identity.merchant_id,
            "sign_private_key": reference("bank_biller_ebpp_merchant_private_key.pem"),
            "bank_certificates": reference("bank_biller_ebpp_bank_certificate.pem"),
            "result_url": "https://front.example/paid",
        },
        "accounts.bank_abchina_ebpp.billers": {identity.merchant_id: list(identity.regions)},
    }


def _show(simulator: BankBillerSimulator, _query: Mapping[str, str]) -> Json:
    return {
        "bills": simulator.bills(),
        "transfers": simulator.orders(),
        "states": _STATE_TEXTS,
        "bill_states": _BILL_TEXTS,
    }


def _act(simulator: BankBillerSimulator, form: Mapping[str, str]) -> object:
    if form.get("choice") == "pay":
        return simulator.pay_bill(form.get("bill_no", ""))
    if form.get("choice") == "reverse":
        return simulator.reverse(form.get("serial", ""))
    if form.get("choice") == "send":
        return simulator.send(form.get("serial", ""))
    return simulator.find_bills(
        form.get("id_no", "").strip().upper(),
        year=form.get("year", "").strip(),
        name=form.get("name", "").strip(),
        way="ebpp" if form.get("way") == "ebpp" else "bbp",
    )


def _query(simulator: BankBillerSimulator, content: Json) -> Json:
    bills = simulator.find_bills(
        text_of(content, "id_no"),
        year=text_of(content, "year"),
        name=text_of(content, "name") if "name" in content else "",
        way=text_of(content, "way") if "way" in content else "bbp",
    )
    return {"bills": bills}


def _pay(simulator: BankBillerSimulator, content: Json) -> Json:
    amount_fen = integer_of(content, "amount_fen") if "amount_fen" in content else None
    return simulator.pay_bill(text_of(content, "bill_no"), amount_fen=amount_fen)


def _send(simulator: BankBillerSimulator, content: Json) -> Json:
    return simulator.send(text_of(content, "serial"))


def _reverse(simulator: BankBillerSimulator, content: Json) -> Json:
    return simulator.reverse(text_of(content, "serial"))


def _overtake(simulator: BankBillerSimulator, content: Json) -> Json:
    return simulator.reverse_before_paying(text_of(content, "bill_no"), integer_of(content, "amount_fen"))


def _upload(simulator: BankBillerSimulator, content: Json) -> Json:
    return simulator.upload_day(integer_of(content, "number") if "number" in content else 1)


def _result(simulator: BankBillerSimulator, _content: Json) -> Json:
    return simulator.day_result()


KIND: Final = Kind(
    provider=PROVIDER,
    title="银行APP生活缴费",
    colour="#1a5fb4",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=BankBillerSimulator,
    pages=(Page(path="/app", title="生活缴费", template="bank_biller.html", show=_show, act=_act),),
    calls=(
        ControlCall(method="POST", path="/biller/bills", run=_query),
        ControlCall(method="POST", path="/biller/payments", run=_pay),
        ControlCall(method="POST", path="/biller/payments/send", run=_send),
        ControlCall(method="POST", path="/biller/reversals", run=_reverse),
        ControlCall(method="POST", path="/biller/reversals/before-payment", run=_overtake),
        ControlCall(method="POST", path="/biller/day-file", run=_upload),
        ControlCall(method="GET", path="/biller/day-file", run=_result),
    ),
    state_texts=_STATE_TEXTS,
)
