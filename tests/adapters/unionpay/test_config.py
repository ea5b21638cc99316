"""Settings: every fault at once, and no account that could take another merchant for UnionPay."""

import base64
from typing import Any, Final

import pytest

from adapters.kit.config import SettingsInvalid
from gateway.domain.secret import Secret
from tests.adapters.unionpay import peer

PFX: Final = base64.b64encode((peer.KEYS / "merchant_sign.pfx").read_bytes()).decode()
WITH_PFX: Final[dict[str, Any]] = {"sign_certificate": None, "sign_private_key": None, "sign_pfx": Secret(PFX)}
TEST_KEY: Final[dict[str, Any]] = {**peer.SHARED_KEY, "sign_method": "11", "secure_key": Secret("88888888")}


def faults_of(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        peer.provider(**changes)
    return [fault.removeprefix("accounts.main.") for fault in raised.value.faults]


FAULTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "mer_id": ({"mer_id": "123"}, "mer_id: does not match"),
    "environment": ({"environment": "staging"}, "environment: must be one of production, test"),
    "sign_method": ({"sign_method": "02"}, "sign_method: must be one of 01, 11, 12"),
    "base_url": ({"base_url": "http://gateway.example"}, "base_url: does not match"),
    "file_url": ({"file_url": "ftp://x"}, "file_url: does not match"),
    "term_id": ({"term_id": "1"}, "term_id: does not match"),
    "front_url": ({"front_url": "https://x.example/?a=1&b=2"}, "front_url: does not match"),
    "pay_minutes": ({"pay_minutes": 0}, "pay_minutes: must be a whole number from 1 to 1440"),
    "pay_minutes-true": ({"pay_minutes": True}, "pay_minutes: must be a whole number from 1 to 1440"),
    "no-certificate": ({"sign_certificate": None}, "sign_certificate: is missing"),
    "certificate-junk": ({"sign_certificate": Secret("x")}, "sign_certificate: holds no certificate in PEM"),
    "clear-key": ({"sign_private_key": "x"}, 'sign_private_key: must be a reference, "file:…" or "env:…"'),
    "pair": (
        {"sign_private_key": Secret(peer.text("other_merchant_sign.key.pem"))},
        "sign_private_key: does not belong to the certificate, or has fewer than 2048 bits",
    ),
    "pfx-password": (
        {**WITH_PFX, "sign_pfx_password": Secret("111111")},
        "sign_pfx: is not a PFX in base64 that the password opens",
    ),
    "pfx-no-password": (WITH_PFX, "sign_pfx_password: is missing"),
    "pfx-and-pair": ({"sign_pfx": Secret(PFX)}, "sign_certificate: is not a setting of this provider"),
    "roots": ({"root_certificates": None}, "root_certificates: is missing"),
    "middles": ({"middle_certificates": None}, "middle_certificates: is missing"),
    "chain": (
        {"middle_certificates": Secret(peer.text("middle.pem") + peer.text("rogue_middle.pem"))},
        "middle_certificates: no. 2 is not issued under root_certificates",
    ),
    "platform": (
        {"platform_certificates": Secret(peer.text("platform_sign.pem") + peer.text("other_merchant_sign.pem"))},
        "platform_certificates: no. 2 is not UnionPay's",
    ),
    "platform-own": (
        {"platform_certificates": Secret(peer.text("merchant_sign.pem"))},
        "platform_certificates: no. 1 is not UnionPay's",
    ),
    "platform-test-name": (
        {"platform_certificates": Secret(peer.text("platform_sign_testcn.pem"))},
        "platform_certificates: no. 1 is not UnionPay's",
    ),
    "encrypt": ({"encrypt_certificate": Secret("x")}, "encrypt_certificate: holds no certificate in PEM"),
    "encrypt-shared": (
        {**TEST_KEY, "environment": "test", "encrypt_certificate": Secret(peer.text("platform_enc.pem"))},
        'encrypt_certificate: needs sign_method = "01": card data may not go with a shared key',
    ),
    "test-key": (TEST_KEY, "secure_key: is the test environment's, which everybody knows"),
    "no-key": ({**TEST_KEY, "secure_key": None}, "secure_key: is missing"),
    "access-type": ({"access_type": "3"}, "access_type: must be one of 0, 1, 2"),
    "acquirer": ({"access_type": "1"}, "acq_ins_code: is missing"),
    "wrong-access": ({"sub_mer_id": "SUB01"}, 'sub_mer_id: belongs to access_type = "2"'),
    "app-key": ({"app_result_key": Secret("x")}, "app_result_key: is not a public key"),
    "unknown": ({"appid": "x"}, "appid: is not a setting of this provider"),
}


@pytest.mark.parametrize(("changes", "fault"), FAULTS.values(), ids=FAULTS)
def test_wrong_setting_is_named(changes: dict[str, Any], fault: str) -> None:
    """Each fault by its key, and nothing of its value."""
    found = faults_of(**changes)

    assert [line for line in found if line.startswith(fault)], found


def test_all_faults_are_told_at_once() -> None:
    """One round is enough to mend a table."""
    nothing = dict.fromkeys(peer.values())
    named = {fault.split(":")[0] for fault in faults_of(**nothing, x=1)}

    assert named == {"mer_id", "sign_certificate", "sign_private_key", "root_certificates", "middle_certificates", "x"}


def test_pfx_and_pair_sign_alike() -> None:
    """One identity in two shapes gives the same bytes."""
    from_pfx = peer.provider(**WITH_PFX, sign_pfx_password=Secret("000000")).create(peer.payment())

    assert peer.provider().create(peer.payment()).instruction == from_pfx.instruction


@pytest.mark.parametrize(
    ("environment", "base_url", "file_url"),
    [
        ("production", "https://gateway.95516.com", "https://filedownload.95516.com/"),
        ("test", "https://gateway.test.95516.com", "https://filedownload.test.95516.com/"),
    ],
)
def test_environment_gives_the_hosts(environment: str, base_url: str, file_url: str) -> None:
    """Unless they are set."""
    config = peer.provider(environment=environment, base_url=None, file_url=None)._config

    assert (base_url, file_url) == (config.base_url, config.file_url)


def test_secrets_are_in_no_repr() -> None:
    """Neither keys nor the shared key."""
    provider = peer.provider()
    shared = peer.provider(**peer.SHARED_KEY, sign_method="12", secure_key=Secret("invented-key-1"))
    shown = f"{provider!r} {provider._config!r} {shared._config!r} {shared._config.proof!r}"

    assert "PRIVATE" not in shown
    assert "invented-key-1" not in shown
    assert "RSAPrivateKey" not in shown
