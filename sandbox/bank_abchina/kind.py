"""What the sandbox must know of the Agricultural Bank."""

from typing import Final

from sandbox.bank_abchina.faults import BankAbchinaFault
from sandbox.bank_abchina.keys import PROVIDER, BankAbchinaKeys, load_keys, new_files
from sandbox.bank_abchina.simulator import BankAbchinaSimulator
from sandbox.kind import Cashier, Kind, Reference, Sections


def configuration(keys: BankAbchinaKeys, base_url: str, reference: Reference) -> Sections:
    """A merchant with the PFX that the bank hands out, and both of the bank's certificates pinned."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": base_url,
            "merchant_id": keys.identity.merchant_id,
            "sign_pfx": reference("bank_abchina_merchant_pfx.txt"),
            "sign_pfx_password": reference("bank_abchina_merchant_pfx_password.txt"),
            "bank_certificates": reference("bank_abchina_bank_certificates.pem"),
            "result_url": "https://front.example/paid",
        }
    }


KIND: Final = Kind(
    provider=PROVIDER,
    title="农业银行",
    colour="#00796b",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=BankAbchinaSimulator,
    mounts=("/ebus/<path:_rest>",),
    cashier=Cashier(payable=frozenset({"01"})),
    state_texts={"01": "待支付", "04": "已支付", "05": "已退款", "EXPIRED": "已过期"},
    faults=BankAbchinaFault,
)
