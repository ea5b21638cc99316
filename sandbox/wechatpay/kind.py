"""What the sandbox must know of WeChat Pay."""

from typing import Final

from sandbox.kind import Cashier, Kind, Reference, Sections
from sandbox.wechatpay.keys import PROVIDER, WechatpayKeys, load_keys, new_files
from sandbox.wechatpay.simulator import WechatpaySimulator


def configuration(keys: WechatpayKeys, base_url: str, reference: Reference) -> Sections:
    """A direct merchant in public-key mode."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": base_url,
            "mode": "direct",
            "mchid": keys.identity.mchid,
            "appid": keys.identity.appid,
            "merchant_serial_no": keys.identity.merchant_serial,
            "merchant_private_key": reference("wechatpay_merchant_private_key.pem"),
            "apiv3_key": reference("wechatpay_apiv3_key.txt"),
            "public_key_id": keys.identity.public_key_id,
            "public_key": reference("wechatpay_public_key.pem"),
        }
    }


KIND: Final = Kind(
    provider=PROVIDER,
    title="微信支付",
    colour="#067d3f",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=WechatpaySimulator,
    mounts=("/v3/<path:_rest>",),
    cashier=Cashier(
        path="/pay",
        tokens=("prepay_id", "code_url"),
        payable=frozenset({"NOTPAY"}),
        returns_to="redirect_url",
    ),
    state_texts={"NOTPAY": "待支付", "SUCCESS": "已支付", "REFUND": "已支付（有退款）", "CLOSED": "已关闭"},
    answer_seconds=5,  # WeChat waits 5 s for an acknowledgement. Source: sheet wechatpay.md section 6.4.
)
