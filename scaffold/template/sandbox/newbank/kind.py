"""
What the sandbox must know of newbank.

Fact to replace: the bank's Chinese name and the colour of its pages (source: title page), and how long it waits for our
answer to a notice (source: section on notices).
"""

from typing import Final

from sandbox.kind import Cashier, Kind, Reference, Sections
from sandbox.newbank.keys import PROVIDER, NewbankKeys, load_keys, new_files
from sandbox.newbank.orders import CLOSED, EXPIRED, PAID, WAITING
from sandbox.newbank.simulator import NewbankSimulator


def configuration(keys: NewbankKeys, base_url: str, reference: Reference) -> Sections:
    """The account that `jiaofei init` writes: each key that `adapters.newbank.config` needs."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": base_url,
            "merchant_no": keys.identity.merchant_no,
            "key_id": keys.identity.key_id,
            "private_key": reference("newbank_merchant_private_key.pem"),
            "bank_key_id": keys.identity.bank_key_id,
            "bank_public_key": reference("newbank_bank_public_key.pem"),
        }
    }


KIND: Final = Kind(
    provider=PROVIDER,
    title="newbank",
    colour="#1d4f91",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=NewbankSimulator,
    mounts=("/pay/<path:_rest>",),
    cashier=Cashier(payable=frozenset({WAITING})),
    state_texts={WAITING: "待支付", PAID: "已支付", CLOSED: "已关闭", EXPIRED: "已过期"},
    answer_seconds=5,
)
