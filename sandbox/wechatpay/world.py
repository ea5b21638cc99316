"""What every WeChat Pay operation works with beside the common things: keys, book, platform certificates, files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import frame
from sandbox.certificates import VALID_FROM, VALID_TO, certificate_of, key_serial_text, root_of
from sandbox.keyfiles import new_rsa_key
from sandbox.wechatpay.keys import WechatpayKeys
from sandbox.wechatpay.orders import Book, Order
from sandbox.wechatpay.shapes import Refusal
from sandbox.wechatpay.signing import Signer
from sandbox.wire import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCertificate:
    """One platform certificate (平台证书) in use; the newest signs."""

    signer: Signer
    certificate: x509.Certificate = field(repr=False)
    effective_at: datetime
    expires_at: datetime


@dataclass(kw_only=True)
class World(frame.World):
    """The provider's side of the table."""

    keys: WechatpayKeys
    book: Book
    refund_spacing_seconds: float
    certificates: list[PlatformCertificate]
    files: dict[str, tuple[datetime, bytes]] = field(default_factory=dict, repr=False)

    @cached_property
    def public_key_signer(self) -> Signer:
        """Public-key mode (微信支付公钥)."""
        return Signer(serial=self.keys.identity.public_key_id, private_key=self.keys.public_key_private_key)

    @cached_property
    def stranger(self) -> rsa.RSAPrivateKey:
        """A key nobody holds, for callbacks signed with the wrong one."""
        return new_rsa_key()

    def signer(self, asked: str) -> Signer:
        """The key to sign with: the public key when the caller asked for it by its id, else the newest certificate."""
        if asked == self.keys.identity.public_key_id:
            return self.public_key_signer
        return self.certificates[-1].signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request: what path, query and body said, and the key id its answer is to be signed with."""

    part: dict[str, str]
    query: dict[str, str]
    body: Json = field(repr=False)
    signer: str

    @property
    def partner(self) -> bool:
        """True on the partner (服务商) paths."""
        return bool(self.part.get("partner"))

    def asked(self, name: str) -> str:
        """A query parameter that must be there."""
        if not self.query.get(name):
            raise Refusal(400, "PARAM_ERROR", f"参数错误：缺少 {name}", field=f"/query/{name}")
        return self.query[name]


Run = Callable[[World, Call], Any]


def first_certificate(keys: WechatpayKeys) -> PlatformCertificate:
    """The keyring's own platform certificate."""
    certificate = keys.platform_certificate
    return PlatformCertificate(
        signer=Signer(serial=key_serial_text(certificate), private_key=keys.platform_private_key),
        certificate=certificate,
        effective_at=VALID_FROM,
        expires_at=VALID_TO,
    )


def next_certificate(now: datetime) -> PlatformCertificate:
    """A new platform certificate, as listed during rotation."""
    key = new_rsa_key()
    certificate = certificate_of("Sandbox Tenpay Platform", key.public_key(), root_of("Sandbox Test Tenpay Root", key))
    return PlatformCertificate(
        signer=Signer(serial=key_serial_text(certificate), private_key=key),
        certificate=certificate,
        effective_at=now.astimezone(UTC),
        expires_at=VALID_TO,
    )


def check_merchant(world: World, mchid: str, sub_mchid: str | None) -> None:
    """
    The merchant named must be the one that signed; a sub merchant must be one of its own.

    Raises:
        Refusal: PARAM_ERROR or NO_AUTH.
    """
    identity = world.keys.identity
    if mchid != identity.mchid:
        raise Refusal(400, "PARAM_ERROR", "商户号与签名商户号不一致", field="/mchid")
    if sub_mchid is None:
        return
    if not sub_mchid:
        raise Refusal(400, "PARAM_ERROR", "缺少子商户号", tail=268443704, field="/sub_mchid")
    if sub_mchid == identity.mchid:
        raise Refusal(400, "PARAM_ERROR", "子商户号不能与服务商商户号相同", tail=268443705, field="/sub_mchid")
    if sub_mchid not in identity.sub_mchids:
        raise Refusal(403, "NO_AUTH", "服务商与子商户无受理关系", tail=268447845, field="/sub_mchid")


def check_right(order: Order, *, partner: bool, sub_mchid: str) -> None:
    """
    An order belongs to the mode and the sub merchant that made it.

    Raises:
        Refusal: NO_AUTH.
    """
    if order.partner != partner or order.sub_mchid != sub_mchid:
        raise Refusal(403, "NO_AUTH", "商户号与订单不匹配", tail=268447845 if partner else 268447843)
