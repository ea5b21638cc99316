"""What the sandbox must know of CCB: its notify address, which no order carries, and its own faults."""

from typing import Final

from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.bank_ccb.keys import PROVIDER, BankCcbKeys, load_keys, new_files
from sandbox.bank_ccb.orders import REFUND_REFUSALS
from sandbox.bank_ccb.simulator import EBS, MAIN, BankCcbSimulator
from sandbox.kind import Cashier, ControlCall, Kind, Reference, Sections, text_of
from sandbox.wire import Json


def configuration(keys: BankCcbKeys, base_url: str, reference: Reference) -> Sections:
    """A counter whose client program is reached over HTTP."""
    identity = keys.identity
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": f"{base_url}{MAIN}",
            "merchant_id": identity.merchant_id,
            "pos_id": identity.pos_id,
            "branch_id": identity.branch_id,
            "public_key": reference("bank_ccb_counter_public_key.hex"),
            "ebs_address": f"{base_url}{EBS}",
            "ebs_operator": identity.operator,
            "ebs_password": reference("bank_ccb_ebs_password.txt"),
            "third_app_info": f"comccbpay{identity.merchant_id}sandbox",
            "refund_refusal_codes": list(REFUND_REFUSALS),
        }
    }


def _set_notify_url(simulator: BankCcbSimulator, content: Json) -> Json:
    url = text_of(content, "notify_url")
    simulator.set_notify_url(url)
    return {"notify_url": url}


KIND: Final = Kind(
    provider=PROVIDER,
    title="建设银行",
    colour="#0a4f9e",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=BankCcbSimulator,
    mounts=("/CCBIS/<path:_rest>", EBS),
    cashier=Cashier(payable=frozenset({"UNPAID"})),
    calls=(ControlCall(method="POST", path="/bank_ccb/notify_url", run=_set_notify_url),),
    state_texts={"UNPAID": "待支付", "WAITING": "待银行确认", "PAID": "已支付", "EXPIRED": "已过期"},
    operations=("pay",),
    faults=BankCcbFault,
)
