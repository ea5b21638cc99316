"""What the sandbox must know of Alipay."""

from typing import Final

from sandbox.alipay.keys import PROVIDER, AlipayKeys, load_keys, new_files
from sandbox.alipay.simulator import BILL_DOWNLOAD, GATEWAY, AlipaySimulator
from sandbox.kind import Cashier, Kind, Reference, Sections


def configuration(keys: AlipayKeys, base_url: str, reference: Reference) -> Sections:
    """An app in key mode."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": f"{base_url}{GATEWAY}",
            "mode": "key",
            "app_id": keys.identity.app_id,
            "seller_id": keys.identity.seller_id,
            "app_private_key": reference("alipay_app_private_key.pem"),
            "alipay_public_key": reference("alipay_public_key.pem"),
        }
    }


KIND: Final = Kind(
    provider=PROVIDER,
    title="支付宝",
    colour="#1256c4",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=AlipaySimulator,
    mounts=(GATEWAY, BILL_DOWNLOAD),
    cashier=Cashier(payable=frozenset({"TRADE_NOT_EXIST", "WAIT_BUYER_PAY"})),
    state_texts={
        "TRADE_NOT_EXIST": "待扫码",
        "WAIT_BUYER_PAY": "待支付",
        "TRADE_SUCCESS": "已支付",
        "TRADE_FINISHED": "已完结",
        "TRADE_CLOSED": "已关闭",
    },
)
