"""Settings of an ICBC account: every fault at once, and none that could be used."""

from typing import Any

import pytest

from adapters.kit.config import SettingsInvalid
from gateway.domain.secret import Secret
from tests.adapters.bank_icbc import peer


def faults(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as invalid:
        peer.provider(**changes)
    return invalid.value.faults


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"app_id": None}, "app_id: is missing"),
        ({"app_id": "wx1"}, "app_id: does not match"),
        ({"mer_id": "a/b"}, "mer_id: does not match"),
        ({"mer_prtcl_no": None}, "mer_prtcl_no: is missing"),
        ({"sign_type": "SM2"}, "sign_type: must be one of RSA2, RSA"),
        ({"base_url": "http://gw.open.icbc.com.cn"}, "base_url: does not match"),
        ({"base_url": "https://proxy.example/icbc?a=1"}, "base_url: does not match"),
        ({"notify_sign_path": "callbacks"}, "notify_sign_path: does not match"),
        ({"notify_sign_path": "/a?b"}, "notify_sign_path: does not match"),
        ({"app_private_key": "MII"}, "app_private_key: must be a reference"),
        ({"app_private_key": Secret("MII")}, "app_private_key: is not a private key"),
        ({"gateway_public_key": Secret("MII")}, "gateway_public_key: is not a public key"),
        ({"gateway_public_key": None}, "gateway_public_key: is missing"),
        ({"gateway_public_key": Secret(peer.text("icbc_app_public.pem"))}, "gateway_public_key: is the app's own"),
        ({"encrypt_key": Secret("AAAA")}, "encrypt_key: is not an AES key"),
        ({"encrypt_key": Secret("?")}, "encrypt_key: is not base64"),
        ({"pay_minutes": 0}, "pay_minutes: must be a whole number"),
        ({"colour": "red"}, "colour: is not a setting"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_setting_that_cannot_be_used_is_told(changes: dict[str, Any], fault: str) -> None:
    """With its path, and never with its value."""
    assert [line for line in faults(**changes) if line.startswith(f"accounts.main.{fault}")]


def test_all_faults_are_told_at_once() -> None:
    """One look is enough."""
    told = faults(app_id="x", mer_id="", gateway_public_key=None)

    assert ["app_id", "mer_id", "gateway_public_key"] == [line.split(":")[0].split(".")[-1] for line in told]


def test_bank_key_may_be_bare_base64_of_1024_bits() -> None:
    """As the platform prints it."""
    bare = "".join(line for line in peer.text("icbc_gateway_public.pem").splitlines() if "-" not in line)

    assert peer.provider(gateway_public_key=Secret(bare), gateway_public_key_previous=None).name == "bank_icbc"


def test_defaults_are_the_live_platform() -> None:
    """Nothing but identity and keys must be set."""
    payload = peer.provider(base_url=None).create(peer.payment()).instruction.payload

    assert payload["url"].startswith("https://gw.open.icbc.com.cn/ui/cardbusiness/")
