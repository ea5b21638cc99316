"""The settings of a channel: every fault at once, no guess, and nothing of a key in any text."""

import sys
from typing import Any, Final

import pytest

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings, SettingsInvalid
from adapters.kit.http import Transport
from adapters.shared_account import build
from adapters.shared_account.config import Config, read_config
from gateway.domain.report import ReportedState
from gateway.domain.secret import Secret
from tests.adapters.shared_account import peer
from tests.conformance.case import FixedClock
from tests.conformance.network import playing

SAMPLE: Final = peer.callback(peer.paid()).body.decode()


def read(**changes: Any) -> Config:
    return read_config(AccountSettings("main", peer.values(**changes)))


def faults(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        read(**changes)
    return caught.value.faults


def test_good_settings_are_read() -> None:
    """Defaults are the sheet's."""
    config = read(blind_reversal=None)

    assert ({"resident_medical": "390"}, 10, False, False) == (
        config.insutypes,
        config.statement_hour,
        config.reverses_blindly,
        config.repeats_orphans,
    )
    assert ("340104", "340124") == config.regions
    assert {"spouse": "01", "parent": "02", "child": "03"} == config.relations
    assert {"resident_id": "01"} == config.id_types
    assert 600 == config.envelope.window.total_seconds()


@pytest.mark.parametrize(
    "name", ["app_id", "app_secret", "app_private_key", "platform_public_keys", "sm2_user_id", "base_url", "regions"]
)
def test_missing_setting_is_a_fault(name: str) -> None:
    """sm2_user_id, too: there is no default that is right everywhere."""
    assert [f"accounts.main.{name}: is missing"] == faults(**{name: None})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"app_id": "short"}, "app_id: does not match"),
        ({"app_secret": peer.APP_SECRET}, "app_secret: must be a reference"),
        ({"app_secret": Secret("short")}, "app_secret: is not 16"),
        ({"app_private_key": Secret("AAAA")}, "app_private_key: is not an SM2 private key"),
        ({"app_private_key": Secret("!!")}, "app_private_key: is neither PEM nor base64"),
        ({"platform_public_keys": []}, "platform_public_keys: must have 1 to 4 keys"),
        ({"platform_public_keys": ["AAAA"]}, "platform_public_keys: no. 1 is not a point"),
        ({"platform_public_keys": [peer.KEYS["platform"]["pub_hex"]] * 5}, "platform_public_keys: must have 1 to 4"),
        ({"platform_public_keys": [peer.KEYS["app"]["pub_hex"]]}, "platform_public_keys: holds our own public key"),
        ({"sm2_user_id": "1234567812345678"}, "sm2_user_id: must be one of default, app_secret"),
        ({"sm2_backend": "gmssl"}, "sm2_backend: must be one of gmssl_pyx, gmalg"),
        ({"key_order": "java"}, "key_order: must be one of"),
        ({"sig_format": "hex"}, "sig_format: must be one of"),
        ({"clock_window_seconds": 0}, "clock_window_seconds: must be a whole number"),
        ({"base_url": "http://ybj.example.cn"}, "base_url: does not match"),
        ({"regions": []}, "regions: must name the divisions"),
        ({"regions": ["3401"]}, "regions: must be a list"),
        ({"insutypes": {"resident_medical": "39"}}, "insutypes: must give words such as resident_medical a code"),
        ({"insutypes": {"城乡居民": "390"}}, "insutypes: must give"),
        ({"id_types": {"passport": ["08"]}}, "id_types: must give"),
        ({"paths": {"sa.pay.refund": "/x"}}, "paths: must give operations"),
        ({"paths": {"sa.pay.query": "x"}}, "paths: must give operations"),
        ({"paths": {"sa.pay.query": "/x?y"}}, "paths: must give operations"),
        ({"ord_stas_map": {"4": "settled"}}, "ord_stas_map: must give"),
        ({"ord_stas_map": {"4": "not_found"}}, "ord_stas_map: must give"),
        ({"ord_stas_map": {"8": "closed"}}, "ord_stas_map: must give"),
        ({"ord_stas_map": {"x": "paid"}}, "ord_stas_map: must give"),
        ({"ord_stas_map": {"4": ["paid"]}}, "ord_stas_map: must give"),
        ({"relations": ["child"]}, "relations: must be a table"),
        ({"relations": {"child": "3"}}, "relations: must give"),
        ({"relations": {"child": "03", "grandchild": "03"}}, "relations: must give"),
        ({"proof_rules": {"child": "household_register"}}, "proof_rules: must give"),
        ({"proof_rules": {"child": ["02"]}}, "proof_rules: must give"),
        ({"proof_rules": {"03": ["other"]}}, "proof_rules: must give"),
        ({"blind_reversal": True}, "blind_reversal: must be one of"),
        ({"orphan_ack": "maybe"}, "orphan_ack: must be one of"),
        ({"statement_hour": 24}, "statement_hour: must be a whole number"),
        ({"two_phase": True}, "two_phase: is not a setting"),
        ({"platform_sample": SAMPLE}, "platform_sample: must be a reference"),
    ],
    ids=str,
)
def test_wrong_setting_is_a_fault(changes: dict[str, Any], fault: str) -> None:
    """Named by its key, and shown nothing of."""
    told = faults(**changes)

    assert any(line.startswith(f"accounts.main.{fault}") for line in told), told
    assert not any(peer.APP_SECRET in line or "1234567812345678" in line for line in told)


def test_all_faults_are_told_at_once() -> None:
    """One start, one list."""
    assert 4 == len(faults(app_id=None, sm2_user_id=None, base_url=None, statement_hour=99))


def test_missing_library_is_a_fault_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never another library instead."""
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)

    assert ["accounts.main.sm2_backend: needs the package gmssl-pyx, which is not installed"] == faults()


@pytest.mark.parametrize("library", ["gmssl_pyx", "gmalg"])
@pytest.mark.parametrize("mode", ["default", "app_secret"])
def test_both_libraries_and_both_user_ids_open_and_seal(library: str, mode: str) -> None:
    """From the settings to an answer."""
    tools = AdapterTools(clock=FixedClock(peer.NOW), nonce=lambda: peer.NONCE, transport=Transport())
    provider = build(AccountSettings("main", peer.values(sm2_backend=library, sm2_user_id=mode)), tools)
    user_id = peer.APP_SECRET.encode() if mode == "app_secret" else peer.USER_ID
    told = {"code": "0", "success": True}
    data = {**peer.CHARGED, "amt": "380.01"}
    body = peer.sealed(peer.outer("sa.pay.query", peer.NOW, **told), data, user_id=user_id)

    with playing(peer.WireAnswer(status=200, headers={}, body=body)):
        assert ReportedState.PAID is provider.query(peer.payment_ref()).report.state


# --- the start-up self-test -------------------------------------------------------------------------------------------


def test_stored_sample_of_the_platform_proves_the_settings() -> None:
    """However old it is."""
    assert read(platform_sample=Secret(SAMPLE + "\n"))


@pytest.mark.parametrize(
    "changes",
    [
        {"sm2_user_id": "app_secret"},
        {"platform_public_keys": [peer.KEYS["other"]["pub_hex"]]},
        {"app_secret": Secret(peer.APP_SECRET[::-1])},
        {"app_id": "F81122B486CD19A8CF841411CCAF0F57"},
        {"sig_format": "der"},
    ],
    ids=["user id", "platform key", "secret", "app id", "format"],
)
def test_stored_sample_under_wrong_settings_is_a_fault(changes: dict[str, Any]) -> None:
    """Found at the start, and not by the first callback."""
    told = faults(platform_sample=Secret(SAMPLE), **changes)

    assert ["accounts.main.platform_sample"] == [line.partition(":")[0] for line in told]


@pytest.mark.parametrize("text", ["", "junk", "{}", "\ud800"])
def test_stored_sample_that_is_junk_is_a_fault(text: str) -> None:
    """Nothing of it is shown."""
    assert faults(platform_sample=Secret(text))


# --- keys -------------------------------------------------------------------------------------------------------------


def test_certificate_of_the_platform_tells_its_end() -> None:
    """Bare keys have none."""
    expiries = peer.provider().key_expiries()

    assert {"platform_public_keys 2": 2036} == {name: end.year for name, end in expiries.items()}


def test_settings_show_no_key() -> None:
    """repr is for logs."""
    shown = repr(read())

    hidden = (peer.APP_SECRET, peer.KEYS["app"]["d_hex"], peer.channel_key().decode())
    assert not [secret for secret in hidden if secret in shown]
