"""What the sandbox must know of UnionPay."""

from typing import Final

from sandbox.kind import Cashier, Kind, Reference, Sections
from sandbox.unionpay.keys import PROVIDER, UnionpayKeys, load_keys, new_files
from sandbox.unionpay.simulator import FILES, UnionpaySimulator


def configuration(keys: UnionpayKeys, base_url: str, reference: Reference) -> Sections:
    """A merchant whose key and certificate are a PEM pair."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": base_url,
            "file_url": f"{base_url}/{FILES}/",
            "mer_id": keys.identity.mer_id,
            "sign_private_key": reference("unionpay_merchant_private_key.pem"),
            "sign_certificate": reference("unionpay_merchant_certificate.pem"),
            "root_certificates": reference("unionpay_root_certificate.pem"),
            "middle_certificates": reference("unionpay_middle_certificate.pem"),
            "encrypt_certificate": reference("unionpay_encryption_certificate.pem"),
            "term_id": "00000001",
        }
    }


KIND: Final = Kind(
    provider=PROVIDER,
    title="银联",
    colour="#a3161f",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=UnionpaySimulator,
    mounts=("/gateway/api/<path:_rest>", "/jiaofei/api/<path:_rest>", f"/{FILES}/"),
    cashier=Cashier(tokens=("visit", "tn"), payable=frozenset({"34"})),
    state_texts={"34": "待支付", "00": "已支付", "EXPIRED": "已过期"},
    answer_seconds=10,  # Source: sheet unionpay.md section 8.
)
