"""The settings of one account: what is needed, and that all faults are told at once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kit.config import AccountSettings, SettingsInvalid
from adapters.wechatpay.config import Config, read_config
from gateway.domain.secret import Secret
from tests.adapters.wechatpay import peer

CERTIFICATE_A = Secret(peer.pem("platform_a_cert.pem"))


def read(now: datetime = peer.NOW, **changes: Any) -> Config:
    return read_config(AccountSettings("main", peer.values(**changes)), now)


def faults(now: datetime = peer.NOW, **changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as invalid:
        read(now, **changes)
    return [fault.removeprefix("accounts.main.") for fault in invalid.value.faults]


def weak_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


def test_settings_of_a_direct_account_have_sensible_defaults() -> None:
    """Little is needed."""
    config = read()

    assert (config.partner, config.base_url, config.cashier_appid) == (False, peer.BASE_URL, "wx2421b1c4370ec43b")
    assert len(config.platform_certificates) == 2


@pytest.mark.parametrize(
    ("changes", "downloads"),
    [
        ({}, True),
        (peer.CERTIFICATES_ONLY, True),
        ({**peer.CERTIFICATES_ONLY, "platform_certificates": None}, True),
        (peer.PUBLIC_KEY_ONLY, False),
        ({"certificate_download": "off"}, False),
        ({**peer.PUBLIC_KEY_ONLY, "certificate_download": "off"}, False),
    ],
    ids=["both", "certificates", "nothing-yet", "public-key", "both-off", "public-key-off"],
)
def test_certificates_are_downloaded_unless_only_a_public_key_is_held(changes: Any, *, downloads: bool) -> None:
    """A public-key merchant's download is an error by design."""
    assert downloads == read(**changes).downloads_certificates


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"mchid": None}, "mchid"),
        ({"mchid": "19000O0109"}, "mchid"),
        ({"appid": None}, "appid"),
        ({"appid": 'wx"'}, "appid"),
        ({"mode": "agent"}, "mode"),
        ({"sub_mchid": "1900000871"}, "sub_mchid"),
        ({"sub_appid": "wx1"}, "sub_appid"),
        ({"cashier": "sp"}, "cashier"),
        ({"mode": "partner"}, "sub_mchid"),
        ({"mode": "partner", "sub_mchid": "1900000109"}, "sub_mchid"),
        ({"mode": "partner", "sub_mchid": "1900000871", "cashier": "sub"}, "sub_appid"),
        ({"merchant_serial_no": None}, "merchant_serial_no"),
        ({"merchant_serial_no": peer.CONFIG["public_key_id"]}, "merchant_serial_no"),
        ({"merchant_serial_no": peer.SERIALS["a"]}, "platform_certificates"),
        ({"merchant_serial_no": peer.SERIALS["b"].lstrip("0").lower()}, "platform_certificates"),
        ({"merchant_private_key": None}, "merchant_private_key"),
        ({"merchant_private_key": "in clear"}, "merchant_private_key"),
        ({"merchant_private_key": Secret("nonsense")}, "merchant_private_key"),
        ({"merchant_private_key": Secret(weak_key())}, "merchant_private_key"),
        ({"apiv3_key": None}, "apiv3_key"),
        ({"apiv3_key": Secret("a" * 31)}, "apiv3_key"),
        ({"apiv3_key": Secret("医" * 32)}, "apiv3_key"),
        ({"apiv3_key_previous": Secret("a" * 33)}, "apiv3_key_previous"),
        ({"public_key": None}, "public_key"),
        ({"public_key_id": None}, "public_key"),
        ({"public_key_id": "PUB_KEY_ID_X"}, "public_key_id"),
        ({"public_key": Secret(peer.pem("platform_a_cert.pem"))}, "public_key"),
        ({"platform_certificates": [Secret("nonsense")]}, "platform_certificates"),
        ({"platform_certificates": "one"}, "platform_certificates"),
        ({"certificate_download": "always"}, "certificate_download"),
        ({**peer.CERTIFICATES_ONLY, "platform_certificates": None, "certificate_download": "off"}, "public_key"),
        ({"base_url": "http://api.mch.weixin.qq.com"}, "base_url"),
        ({"base_url": "https://user@api.mch.weixin.qq.com"}, "base_url"),
        ({"base_url": "https://api.mch.weixin.qq.com/?x"}, "base_url"),
        ({"region": "34"}, "region"),
    ],
    ids=repr,
)
def test_wrong_setting_is_a_fault_of_its_key(changes: Any, path: str) -> None:
    """Each fault begins with the path of the key at fault."""
    found = faults(**changes)

    assert {path} == {fault.split(":")[0] for fault in found}


def test_all_faults_are_told_at_once() -> None:
    """One look is enough to repair a configuration."""
    found = faults(mchid=None, appid="", apiv3_key=Secret("short"), public_key=None, base_url="ftp://x", extra=1)

    assert {"mchid", "appid", "apiv3_key", "public_key", "base_url", "extra"} == {f.split(":")[0] for f in found}


def test_expired_certificate_alone_is_no_way_to_verify() -> None:
    """Without download there must be something that still proves."""
    changes: dict[str, Any] = {
        **peer.CERTIFICATES_ONLY,
        "platform_certificates": [CERTIFICATE_A],
        "certificate_download": "off",
    }

    assert read(**changes).platform_certificates
    assert [f.split(":")[0] for f in faults(datetime(2036, 6, 1, tzinfo=UTC), **changes)] == ["public_key"]


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:9000/wechatpay/", "http://localhost:9000", "https://api2.mch.weixin.qq.com"]
)
def test_base_url_may_be_the_sandbox_or_the_standby_host(base_url: str) -> None:
    """Plain HTTP is for this machine only."""
    assert base_url.rstrip("/") == read(base_url=base_url).base_url


def test_settings_show_no_secret() -> None:
    """Neither in the parsed settings' repr nor in a fault's text."""
    shown = repr(read()) + str(faults(apiv3_key=Secret("tooshort"), merchant_private_key=Secret("MIICnonsense")))

    assert not [s for s in (peer.CONFIG["apiv3_key"], "tooshort", "MIIC", "BEGIN") if s in shown]
