"""Entry points (缴费入口): where a payer meets us, and which ways to pay can work there."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Surface(StrEnum):
    """What a front end can open a cashier in, or show it on."""

    WECHAT_PAGE = "wechat_page"  # a web page inside WeChat
    WECHAT_MINI_PROGRAM = "wechat_mini_program"
    ALIPAY_PAGE = "alipay_page"  # a web page inside Alipay
    ALIPAY_MINI_PROGRAM = "alipay_mini_program"
    UNIONPAY_PAGE = "unionpay_page"  # a web page inside 云闪付
    BANK_PAGE = "bank_page"  # a web page inside a bank's app
    NATIVE_APP = "native_app"  # an app of one's own that holds the providers' SDKs
    PHONE_BROWSER = "phone_browser"
    DESKTOP_BROWSER = "desktop_browser"
    SCREEN = "screen"  # shows a QR code that the payer scans with another device


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryKind:
    """
    One kind of entry.

    Attributes:
        surfaces: What it has; none: no payment is started there, it submits collected records only.
    """

    title: str
    surfaces: frozenset[Surface]


def _kind(title: str, *surfaces: Surface) -> EntryKind:
    return EntryKind(title=title, surfaces=frozenset(surfaces))


_IN_WECHAT: Final = (Surface.WECHAT_PAGE, Surface.WECHAT_MINI_PROGRAM)
_IN_ALIPAY: Final = (Surface.ALIPAY_PAGE, Surface.ALIPAY_MINI_PROGRAM)
_OWN_APP: Final = (Surface.NATIVE_APP, Surface.PHONE_BROWSER)

ENTRY_KINDS: Final[Mapping[str, EntryKind]] = {
    "official_account": _kind("微信公众号", Surface.WECHAT_PAGE),
    "mini_program": _kind("微信小程序", Surface.WECHAT_MINI_PROGRAM),
    "wechat_city_service": _kind("微信城市服务", *_IN_WECHAT),
    "wechat_insurance_code": _kind("微信我的医保凭证、医保码", *_IN_WECHAT),
    "alipay_mini_program": _kind("支付宝小程序", Surface.ALIPAY_MINI_PROGRAM),
    "alipay_city_service": _kind("支付宝市民中心", *_IN_ALIPAY),
    "unionpay_app": _kind("云闪付", Surface.UNIONPAY_PAGE),
    "bank_app": _kind("银行 App", Surface.BANK_PAGE),
    "city_app": _kind("城市服务 App（皖事通等）", *_OWN_APP),
    "app": _kind("自有 App", *_OWN_APP),
    "h5": _kind("手机网页", Surface.PHONE_BROWSER),
    "web": _kind("电脑网页", Surface.DESKTOP_BROWSER, Surface.SCREEN),
    "counter": _kind("代办点、经办窗口柜台", Surface.DESKTOP_BROWSER, Surface.SCREEN),
    "self_service": _kind("自助终端", Surface.SCREEN),
    "collector": _kind("代收单位（只报送代收记录）"),
    "tax_side": _kind("税务侧（只报送缴费记录）"),
    "trial": _kind("试用，不限场景", *Surface),
}
"""The systems that the offices' notices name; which surface each has is our reading of the providers' products."""

METHOD_SURFACES: Final[Mapping[str, frozenset[Surface]]] = {
    "wechatpay.jsapi": frozenset({Surface.WECHAT_PAGE, Surface.WECHAT_MINI_PROGRAM}),  # its parameters serve both
    "wechatpay.mini_program": frozenset({Surface.WECHAT_MINI_PROGRAM}),
    "wechatpay.h5": frozenset({Surface.PHONE_BROWSER}),  # WeChat's own browser refuses it
    "wechatpay.native": frozenset({Surface.SCREEN}),
    "wechatpay.app": frozenset({Surface.NATIVE_APP}),
    "alipay.jsapi": frozenset({Surface.ALIPAY_MINI_PROGRAM}),
    "alipay.wap": frozenset({Surface.PHONE_BROWSER, Surface.ALIPAY_PAGE}),
    "alipay.page": frozenset({Surface.DESKTOP_BROWSER}),
    "alipay.app": frozenset({Surface.NATIVE_APP}),
    "alipay.qr": frozenset({Surface.SCREEN}),
    "unionpay.wap": frozenset({Surface.PHONE_BROWSER, Surface.UNIONPAY_PAGE, Surface.BANK_PAGE}),
    "unionpay.pc": frozenset({Surface.DESKTOP_BROWSER}),
    "unionpay.app": frozenset({Surface.NATIVE_APP, Surface.UNIONPAY_PAGE}),  # the page takes upsdk.pay({tn})
    "unionpay.qr": frozenset({Surface.SCREEN}),
}
"""Where a method can work. One that is not listed needs nothing opened, or is not known here: it is not forbidden."""


def works_in(entry: str, method: str) -> bool:
    """
    Whether "provider.method" can work in an entry of this kind.

    Raises:
        KeyError: There is no such kind.
    """
    surfaces = ENTRY_KINDS[entry].surfaces
    return bool(METHOD_SURFACES.get(method, surfaces) & surfaces)
