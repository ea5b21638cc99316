"""Settings: every fault at once, and no account on a machine that could not verify."""

from typing import Any, Final

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from adapters.bank.ccb import keys
from adapters.bank.ccb.config import TcpAddress
from adapters.kit.config import SettingsInvalid
from gateway.domain.secret import Secret
from tests.adapters.bank_ccb import peer


def faults_of(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        peer.provider(**changes)
    return [fault.removeprefix("accounts.main.") for fault in raised.value.faults]


EC_KEY: Final = (
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    "53e4a775022e12f18d34787258ab9b5617c9bc89c06851955225f772690691a7"
    "9df55e94cc5af091b903bfa6a6dc399951644f55e856ad9aaf11f7cbc36dcd4f"
)

FAULTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "merchant_id": ({"merchant_id": "123"}, "merchant_id: does not match"),
    "pos_id": ({"pos_id": "06123000"}, "pos_id: does not match"),
    "branch_id": ({"branch_id": "34000000X0"}, "branch_id: does not match"),
    "base_url": ({"base_url": "http://ccb.example/"}, "base_url: does not match"),
    "key-clear": ({"public_key": "30"}, 'public_key: must be a reference, "file:…" or "env:…"'),
    "key-junk": ({"public_key": Secret("xyz")}, "public_key: is not the counter's public key in hex"),
    "key-not-der": ({"public_key": Secret("30" * 160)}, "public_key: is not the counter's public key in hex"),
    "key-not-rsa": ({"public_key": Secret(EC_KEY + "00" * 20)}, "public_key: is not the counter's public key in hex"),
    "key-of-another-kind": ({"public_key": Secret(EC_KEY)}, "public_key: is not an RSA key of 1024 bits or more"),
    "previous-key": ({"previous_public_key": Secret("xyz")}, "previous_public_key: is not the counter's public key"),
    "address-scheme": ({"ebs_address": "ftp://10.0.0.5:12345"}, "ebs_address: does not match"),
    "address-no-port": ({"ebs_address": "tcp://10.0.0.5"}, "ebs_address: does not match"),
    "address-path": ({"ebs_address": "tcp://10.0.0.5:12345/x"}, "ebs_address: does not match"),
    "address-port": ({"ebs_address": "tcp://10.0.0.5:65536"}, "ebs_address: has a port above 65535"),
    "operator": ({"ebs_operator": "a b"}, "ebs_operator: does not match"),
    "password-clear": ({"ebs_password": "secret"}, 'ebs_password: must be a reference, "file:…" or "env:…"'),
    "referer": ({"referer": "a&b"}, "referer: does not match"),
    "third_app_info": ({"third_app_info": "a b"}, "third_app_info: does not match"),
    "gateway": ({"gateway": "W1&Z1"}, "gateway: does not match"),
    "goods_text": ({"goods_text": "plain"}, "goods_text: must be one of escaped, none"),
    "h5_timeout": ({"h5_timeout": True}, "h5_timeout: must be one of no, yes"),
    "pay_minutes": ({"pay_minutes": 1441}, "pay_minutes: must be a whole number from 1 to 1440"),
    "codes": ({"refund_refusal_codes": ["*"]}, "refund_refusal_codes: must be a list of texts"),
    "no-record": ({"no_record_codes": "YDCA02910001"}, "no_record_codes: must be a list of texts"),
    "unknown": ({"mchid": "x"}, "mchid: is not a setting of this provider"),
}


@pytest.mark.parametrize(("changes", "fault"), FAULTS.values(), ids=FAULTS)
def test_wrong_setting_is_named(changes: dict[str, Any], fault: str) -> None:
    """Each fault by its key, and nothing of its value."""
    found = faults_of(**changes)

    assert [line for line in found if line.startswith(fault)], found


def test_all_faults_are_told_at_once() -> None:
    """One round is enough to mend a table."""
    named = {fault.split(":")[0] for fault in faults_of(**dict.fromkeys(peer.values()), x=1)}

    assert {
        *("merchant_id", "pos_id", "branch_id", "public_key"),
        *("ebs_address", "ebs_operator", "ebs_password", "x"),
    } == named


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://10.0.0.5:12345", TcpAddress(host="10.0.0.5", port=12345)),
        ("tcp://ebs.intranet:1", TcpAddress(host="ebs.intranet", port=1)),
        ("tcp://[::1]:65535", TcpAddress(host="::1", port=65535)),
        ("http://10.0.0.5:8080/ebs", "http://10.0.0.5:8080/ebs"),
        ("https://ebs.intranet", "https://ebs.intranet"),
    ],
)
def test_scheme_of_the_address_chooses_the_way(text: str, address: TcpAddress | str) -> None:
    """TCP or HTTP; plain HTTP is allowed, because the program stands inside our network."""
    assert address == peer.provider(ebs_address=text)._config.ebs_address


def test_key_may_have_line_breaks() -> None:
    """As it is pasted."""
    pasted = "\n".join(peer.text("ccb_merchant_public.hex").strip()[at : at + 64] for at in range(0, 400, 64))

    assert peer.PUB == peer.provider(public_key=Secret(pasted + "\n"))._config.key.pub.reveal()


@pytest.mark.parametrize("refusal", [UnsupportedAlgorithm("md5"), ValueError("too small"), None])
def test_machine_that_cannot_verify_is_found_out_when_built(
    monkeypatch: pytest.MonkeyPatch, refusal: Exception | None
) -> None:
    """A FIPS build of OpenSSL: at start-up, not at the first callback."""

    class Fips:
        def verify(self, *_arguments: object) -> None:
            raise refusal or InvalidSignature

    known = keys.CounterKey(public=Fips(), pub=Secret(""))  # type: ignore[arg-type]
    real = keys.load_counter_key
    monkeypatch.setattr(keys, "load_counter_key", lambda text: known if text == keys._KNOWN_KEY else real(text))

    assert [fault for fault in faults_of() if fault.startswith("public_key: cannot be used: this machine refuses")]


def test_secrets_are_in_no_repr() -> None:
    """Neither the password nor PUB."""
    provider = peer.provider()
    shown = f"{provider!r} {provider._config!r} {provider._config.key!r}"

    assert peer.PASSWORD not in shown
    assert peer.PUB not in shown
