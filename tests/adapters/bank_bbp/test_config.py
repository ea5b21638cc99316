"""Settings: every fault at once, and no institution whose messages could not be proven."""

from datetime import time
from typing import Any

import pytest

from adapters.kit.config import SettingsInvalid
from gateway.domain.provider import CallbackRefused, Operation, OperationUnsupported, RawCallback, Verdict
from gateway.domain.secret import Secret
from tests.adapters.bank_bbp import peer

SHORT_KEY = Secret(peer.key_file("biller_bank_sm2_public.pem"))


def faults_of(**changes: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        peer.front(**changes)
    return [fault.removeprefix("accounts.rural.") for fault in raised.value.faults]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "inst_id": ({"inst_id": "a b"}, "inst_id: does not match"),
    "no-billers": ({"billers": None}, "billers: is missing"),
    "empty-billers": ({"billers": {}}, "billers: must name at least one biller id"),
    "biller-id": ({"billers": {"a b": ["340100"]}}, "billers: must give each biller id"),
    "biller-regions": ({"billers": {"YB1": ["3401"]}}, "billers: must give each biller id"),
    "biller-no-regions": ({"billers": {"YB1": []}}, "billers: must give each biller id"),
    "regions": ({"regions": ["340100"]}, "regions: is not used here"),
    "apps": ({"apps": ["A B"]}, "apps: must be a list"),
    "cut_off": ({"cut_off": "24:00"}, "cut_off: does not match"),
    "questions": ({"questions_per_minute": 0}, "questions_per_minute: must be a whole number"),
    "no-keys": ({"bank_keys": None, "bank_sm2_keys": None}, "bank_keys: is missing, and so is bank_sm2_keys"),
    "empty-keys": ({"bank_keys": {}}, "bank_keys: must have 1 to 8 keys"),
    "key-id": ({"bank_keys": {"a b": SHORT_KEY}}, "bank_keys: must give each key id"),
    "key-kind": ({"bank_keys": {"k": SHORT_KEY}}, "bank_keys.k: is not"),
    "sm2-kind": (
        {"bank_sm2_keys": {"k": Secret(peer.key_file("biller_bank_rsa_public.pem"))}},
        "bank_sm2_keys.k: is not",
    ),
    "key-twice": ({"bank_sm2_keys": {"ABC340-new": SHORT_KEY}}, "bank_sm2_keys: has a key id that bank_keys has"),
    "no-signing-key": ({"signing_key": None}, "signing_key: is missing"),
    "clear-signing-key": ({"signing_key": "x"}, 'signing_key: must be a reference, "file:…" or "env:…"'),
    "public-signing-key": (
        {"signing_key": Secret(peer.key_file("gateway_rsa_public.pem"))},
        "signing_key: is not a private key",
    ),
    "sm2-signing-key": ({"sign_type": "SM2"}, "signing_key: is not an SM2 private key"),
    "signing_key_id": ({"signing_key_id": None}, "signing_key_id: is missing"),
    "sm2_sig": ({"sm2_sig": "hex"}, "sm2_sig: must be one of der, raw"),
    "sm2_backend": ({"sm2_backend": "gmssl"}, "sm2_backend: must be one of"),
    "area_names": ({"area_names": {"3412": "x"}}, "area_names: must give divisions"),
    "insurance_types": ({"insurance_types": {"resident_medical": 390}}, "insurance_types: must give kinds"),
    "unknown": ({"base_url": "https://x.example"}, "base_url: is not a setting of this provider"),
}


@pytest.mark.parametrize(("changes", "fault"), FAULTS.values(), ids=FAULTS)
def test_fault_is_told_with_its_key(changes: dict[str, Any], fault: str) -> None:
    assert any(told.startswith(fault) for told in faults_of(**changes)), faults_of(**changes)


def test_all_faults_are_told_at_once_and_show_no_key() -> None:
    told = faults_of(inst_id="", billers=None, signing_key=Secret("canary-key"), cut_off="x")

    assert len(told) >= 4
    assert "canary" not in "".join(told)


def test_institution_is_as_configured() -> None:
    built = peer.front(apps=["wallet"], cut_off="22:30", questions_per_minute=7).institution

    assert (built.id, built.apps, built.cut_off, built.questions_per_minute) == (
        peer.INST,
        frozenset({"wallet"}),
        time(22, 30),
        7,
    )
    assert built.billers[peer.BILLER] == frozenset({"340100", "341200"})
    assert peer.front().institution.apps is None


def test_sm2_library_is_needed_only_where_something_is_sm2() -> None:
    """The extra is optional: an RSA account must load without it."""
    assert peer.front(bank_sm2_keys=None).institution.id == peer.INST


def test_nothing_can_be_started_from_here() -> None:
    """No capability, no method, and what is posted to the ordinary address is refused."""
    front = peer.front()
    raw = RawCallback(headers={}, body=b"", received_at=peer.NOW)

    assert (front.capabilities, dict(front.methods), dict(front.key_expiries())) == (frozenset(), {}, {})
    with pytest.raises(CallbackRefused):
        front.parse_callback(raw)
    assert {front.acknowledge(verdict, raw).status for verdict in Verdict} == {404}
    with pytest.raises(OperationUnsupported, match=Operation.FETCH_STATEMENT.value):
        front.fetch_statement(peer.NOW.date(), "trades")  # type: ignore[arg-type]


def test_front_shows_no_key() -> None:
    front = peer.front()
    middle = peer.key_file("gateway_rsa_private.pem").split("\n")[5]

    assert middle not in repr(front) + repr(vars(front))
