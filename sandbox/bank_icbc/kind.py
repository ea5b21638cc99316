"""What the sandbox must know of ICBC."""

from typing import Final

from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.keys import PROVIDER, IcbcKeys, load_keys, new_files
from sandbox.bank_icbc.simulator import BankIcbcSimulator
from sandbox.kind import Cashier, Kind, Reference, Sections


def configuration(keys: IcbcKeys, base_url: str, reference: Reference) -> Sections:
    """A merchant whose app signs RSA2 and does not encrypt."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": base_url,
            "app_id": keys.identity.app_id,
            "mer_id": keys.identity.mer_id,
            "mer_prtcl_no": keys.identity.mer_prtcl_no,
            "app_private_key": reference("bank_icbc_app_private_key.pem"),
            "gateway_public_key": reference("bank_icbc_gateway_public_key.pem"),
        }
    }


KIND: Final = Kind(
    provider=PROVIDER,
    title="工商银行",
    colour="#b5121b",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=BankIcbcSimulator,
    mounts=("/ui/<path:_rest>", "/api/<path:_rest>"),
    cashier=Cashier(payable=frozenset({"1", "2"})),
    state_texts={"0": "已支付", "1": "待支付（上次支付失败）", "2": "待支付", "EXPIRED": "已过期"},
    faults=IcbcFault,
    answer_seconds=10,
)
