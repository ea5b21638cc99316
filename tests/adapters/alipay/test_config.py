"""An account's settings: every fault at once, and no key in any text."""

import base64
import re
from typing import Any

import pytest
from cryptography import x509

from adapters.kit.config import SettingsInvalid
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import CERTIFICATE_MODE, provider


def faults_of(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as invalid:
        provider(**changes)
    return invalid.value.faults


def _sm2_public_key() -> str:
    """SubjectPublicKeyInfo of the SM2 root in the vendor's file: of a curve that the library does not know."""
    first = re.findall(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", peer.pem("vendor_alipayRootCert.crt"), re.S
    )[0]
    signed = x509.load_pem_x509_certificate(first.encode()).tbs_certificate_bytes
    start = signed.index(bytes.fromhex("301306072a8648ce3d0201")) - 2
    return base64.b64encode(signed[start : start + 2 + signed[start + 1]]).decode()


def test_settings_in_both_modes_build() -> None:
    """Key mode and certificate mode are complete as the peers give them."""
    assert provider().name == "alipay"
    assert provider(**CERTIFICATE_MODE).name == "alipay"


@pytest.mark.parametrize("shape", sorted(peer.KEYS["app_private"]))
def test_private_key_is_taken_in_each_pasted_shape(shape: str) -> None:
    """PKCS#8 and PKCS#1, armoured or bare, with stray white space."""
    pasted = peer.KEYS["app_private"][shape]

    assert provider(app_private_key=Secret(f"\n {pasted} \n")).name == "alipay"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        pytest.param({"app_id": None}, "app_id", id="no-app-id"),
        pytest.param({"app_id": "123"}, "app_id", id="short-app-id"),
        pytest.param({"seller_id": "1234567890123456"}, "seller_id", id="no-seller"),
        pytest.param({"mode": "both"}, "mode", id="unknown-mode"),
        pytest.param({"app_private_key": "in clear"}, "app_private_key", id="key-in-clear"),
        pytest.param({"app_private_key": Secret("junk")}, "app_private_key", id="junk-key"),
        pytest.param({"app_private_key": Secret(peer.pem("alipay_public.pem"))}, "app_private_key", id="public-key"),
        pytest.param({"alipay_public_key": None}, "alipay_public_key", id="no-platform-key"),
        pytest.param(
            {"alipay_public_key": Secret(peer.pem("app_public.pem"))}, "alipay_public_key", id="own-public-key"
        ),
        pytest.param({"alipay_public_key": Secret(peer.pem("alipay_cert.pem"))}, "alipay_public_key", id="certificate"),
        pytest.param({"alipay_public_key": Secret(_sm2_public_key())}, "alipay_public_key", id="sm2-key"),
        pytest.param({"base_url": "ftp://openapi.alipay.com"}, "base_url", id="no-web-address"),
        pytest.param({"base_url": "https://openapi.alipay.com/gateway.do?x=1"}, "base_url", id="with-query"),
        pytest.param({"encrypt_key": Secret("AAAA")}, "encrypt_key", id="short-aes-key"),
        pytest.param({"encrypt_key": Secret("密")}, "encrypt_key", id="aes-key-not-base64"),
        pytest.param({"app_auth_token": Secret("invented")}, "auth_app_id", id="isv-without-auth-app"),
        pytest.param({"sys_service_provider_id": "1"}, "sys_service_provider_id", id="bad-provider-id"),
        pytest.param({"app_cert": Secret("x")}, "app_cert", id="of-another-mode"),
        pytest.param({"colour": "blue"}, "colour", id="unknown-key"),
        pytest.param({**CERTIFICATE_MODE, "alipay_root_cert": None}, "alipay_root_cert", id="no-roots"),
        pytest.param({**CERTIFICATE_MODE, "alipay_root_cert": Secret("x")}, "alipay_root_cert", id="junk-roots"),
        pytest.param({**CERTIFICATE_MODE, "alipay_cert": None}, "alipay_cert", id="no-platform-certificate"),
        pytest.param(
            {**CERTIFICATE_MODE, "alipay_cert": Secret(peer.pem("alipay_cert_rogue.pem"))}, "alipay_cert", id="rogue"
        ),
        pytest.param(
            {**CERTIFICATE_MODE, "alipay_cert": Secret(peer.pem("root_bundle.pem"))}, "alipay_cert", id="roots-alone"
        ),
        pytest.param({**CERTIFICATE_MODE, "app_cert": Secret(peer.pem("alipay_cert.pem"))}, "app_cert", id="not-ours"),
    ],
)
def test_fault_names_its_key(changes: dict[str, Any], key: str) -> None:
    """Each fault begins with the key's path and shows nothing of the value."""
    faults = faults_of(**changes)

    assert [fault.split(":")[0] for fault in faults] == [f"accounts.main.{key}"]
    assert not any("invented" in fault or "MII" in fault for fault in faults)


def test_faults_are_told_at_once() -> None:
    """One run names everything that is wrong."""
    faults = faults_of(app_id="x", seller_id="x", app_private_key=Secret("x"), alipay_public_key=Secret("x"), colour=1)

    assert len(faults) == 5


def test_vendor_s_root_file_is_taken() -> None:
    """The real file has blocks that do not parse; two RSA roots remain."""
    faults = faults_of(**{**CERTIFICATE_MODE, "alipay_root_cert": Secret(peer.pem("vendor_alipayRootCert.crt"))})

    assert faults == ["accounts.main.alipay_cert: is not issued under alipay_root_cert"]


def test_certificate_without_its_issuer_is_taken_from_the_settings() -> None:
    """The file's owner vouches for it; only a chain that is there must hold."""
    leaf = peer.pem("alipay_cert.pem").split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"

    assert provider(**{**CERTIFICATE_MODE, "alipay_cert": Secret(leaf)}).name == "alipay"


def test_account_shows_no_secret() -> None:
    """repr and str of the built provider and its account hide keys and tokens."""
    built = provider(
        app_auth_token=Secret("202603BB-invented"), auth_app_id=peer.APP_ID, encrypt_key=Secret(peer.CONTENT_KEY)
    )

    shown = f"{built!r} {built!s} {built._account!r} {built._client.keys!r}"
    assert "invented" not in shown
    assert "fedcba98" not in shown
    assert "rsa" not in shown.lower()
