"""The account's settings: every fault at once, nothing of a key in any of them."""

import base64
from typing import Any

import pytest

from adapters.bank.trustpay import load_bank_keys, load_pfx, load_signing_key
from adapters.kit.config import SettingsInvalid
from gateway.domain.secret import Secret
from tests.adapters.bank_abchina import peer

PFX = base64.b64encode((peer.KEYS / "abc_merchant.pfx").read_bytes()).decode("ascii")
RSA_512 = """-----BEGIN PRIVATE KEY-----
MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAq7BFUpkGp3+LQmlQ
Yx2eqzDV+xeG8kx/sQFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQ
2zpAswIDAQABAkAgisq4+zRdrzkwH1ITV1vpytnkO/NiHcnePQiOW0VUybPyHoGM
/jf75C5xET7ZQpBe5kx5VHsPZj0CBb3b+wSRAiEA2mPWCBytosIU/ODRfq6EiV04
lt6waE7I2uSPqIC20LcCIQDJQYIHQII+3YaPqyhGgqMexuuuGx+lDKD6/Fu/JwPb
5QIhAKthiYcYKlL9h8bjDsQhZDUACPasjzdsDEdq8inDyLOFAiEAmCr/tZwA3qeA
ZoBzI10DGPIuoKXBd3nk/eBxPkaxlEECIECNzMZSN/aRFDkz6yGt/fZN2fXwCLVr
XyClOrHWXWVK
-----END PRIVATE KEY-----"""
"""A published sample key of 512 bits."""


def faults_of(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        peer.provider(**changes)
    return raised.value.faults


def test_settings_of_every_choice_build() -> None:
    """What the page names can be set."""
    made = peer.provider(
        sign_private_key=None,
        sign_pfx=Secret(PFX),
        sign_pfx_password=Secret("test1234"),
        request_path="/ebus/ReceiveMerchantTrxReqServlet",
        payment_type="3",
        commodity_type="0407",
        pay_minutes=1440,
        keep_days=1,
        zipped_statements=False,
        wrapped_requests=True,
        legacy_refund_text=True,
    )

    assert made._config.request_url == f"{peer.BASE_URL}/ebus/ReceiveMerchantTrxReqServlet"
    assert made._config.keep_days == 1


def test_expiries_name_our_certificate_and_never_the_pinned_one() -> None:
    """The bank's certificate has ended and goes on working: an alarm for it would never end."""
    expired = Secret(peer.text("bank_expired_cert.pem"))
    made = peer.provider(
        sign_private_key=None,
        sign_pfx=Secret(PFX),
        sign_pfx_password=Secret("test1234"),
        bank_certificates=expired,
    )

    assert set(made.key_expiries()) == {"sign_pfx"}
    assert peer.provider().key_expiries() == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("merchant_id", "10388000000000"),
        ("merchant_id", None),
        ("base_url", "http://pay.abchina.example"),
        ("base_url", "https://pay.abchina.example/path"),
        ("request_path", "ebus"),
        ("request_path", "/ebus?x=1"),
        ("result_url", None),
        ("result_url", 'https://pay.example.cn/"'),
        ("result_url", "https://pay.example.cn/?a=1&b=2"),
        ("result_url", "https://pay.example.cn/<URL>"),
        ("result_url", "ftp://pay.example.cn/"),
        ("payment_type", "5"),
        ("commodity_type", "499"),
        ("pay_minutes", 0),
        ("pay_minutes", 1441),
        ("keep_days", 0),
        ("zipped_statements", 1),
        ("wrapped_requests", "yes"),
        ("legacy_refund_text", "false"),
        ("bank_certificates", None),
        ("bank_certificates", Secret("x")),
        ("bank_certificates", peer.text("abc_bank_cert.pem")),
        ("bank_certificates", Secret(peer.text("abc_merchant_cert.pem"))),
        ("sign_private_key", None),
        ("sign_private_key", Secret("x")),
        ("sign_private_key", Secret(RSA_512)),
        ("no_such_setting", 1),
    ],
)
def test_settings_fault_is_told_by_its_key(key: str, value: Any) -> None:
    """And it alone; without a word of the value."""
    faults = faults_of(**{key: value}) if value is not None else faults_of(**{key: None})

    assert [f"accounts.main.{key}"] == [fault.partition(":")[0] for fault in faults]
    if isinstance(value, Secret) and len(value.reveal()) > 9:
        assert value.reveal()[40:60] not in faults[0]


@pytest.mark.parametrize("password", ["", "test1235"])
def test_pfx_with_a_wrong_password_is_a_fault(password: str) -> None:
    """Which says nothing of either."""
    with pytest.raises(ValueError, match="is not a PFX in base64 that the password opens"):
        load_pfx(PFX, password)


@pytest.mark.parametrize("text", ["", "x", "AAAA", peer.text("abc_bank_cert.pem")])
def test_pfx_that_is_none_is_a_fault(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(ValueError, match="is not a PFX"):
        load_pfx(text, "test1234")


def test_pfx_without_its_password_is_a_fault() -> None:
    """Both are references."""
    faults = faults_of(sign_private_key=None, sign_pfx=Secret(PFX))

    assert "accounts.main.sign_pfx_password: is missing" in faults


def test_key_loaders_take_what_the_bank_hands_out() -> None:
    """DER in base64, PEM one after the other, a bare key."""
    der = base64.b64encode((peer.KEYS / "abc_bank_TrustPay.cer").read_bytes()).decode("ascii")
    both = peer.text("abc_bank_cert.pem") + peer.text("bank_expired_cert.pem")

    assert load_bank_keys(der) == load_bank_keys(peer.text("abc_bank_cert.pem"))
    assert len(load_bank_keys(both)) == 2
    assert load_signing_key(peer.text("abc_merchant_private.pem")).ends_at is None
