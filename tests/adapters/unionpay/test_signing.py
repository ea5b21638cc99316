"""Why a message is not believed, in the word that counters and logs show: a wrong proof, or a key that nobody knows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import pytest

from adapters.unionpay.form import Message, canonical_bytes
from adapters.unionpay.signing import KeyProof, NotAuthentic, Proof
from gateway.domain.clock import CHINA
from gateway.domain.secret import Secret
from tests.adapters.unionpay import peer

CERTIFICATES: Final[Proof] = peer.provider()._config.proof
KEYS: Final[dict[str, KeyProof]] = {method: KeyProof(method, Secret("invented-key-1")) for method in ("11", "12")}
FIELDS: Final = peer.present({"version": "5.1.0", "encoding": "UTF-8", **peer.paid()})


def message(fields: Mapping[str, str | None]) -> Message:
    present = peer.present(fields)
    return Message(fields=present, canonical=canonical_bytes(present))


def reason(proof: Proof, fields: Mapping[str, str | None], at: datetime = peer.NOW) -> str:
    """Why the message is refused, as the attribute and the error's own text both say."""
    with pytest.raises(NotAuthentic) as raised:
        proof.verify(message(fields), at)
    assert raised.value.reason == str(raised.value)
    return raised.value.reason


SPOILT: Final[dict[str, dict[str, Any]]] = {
    "no-signature": {"signature": None},
    "blank-signature": {"signature": ""},
    "no-certificate": {"signPubKeyCert": None},
    "blank-certificate": {"signPubKeyCert": ""},
    "neither": {"signPubKeyCert": None, "signature": None},
    "other-signature": {"signature": "QUJD"},
    "not-base64": {"signature": "成功"},
    "other-amount": {"txnAmt": "38002"},
}
NOT_CONFIGURED: Final[dict[str, dict[str, Any]]] = {
    "other-version": {"version": "5.0.0"},
    "no-version": {"version": None},
    "other-method": {"signMethod": "99"},
    "no-method": {"signMethod": None},
}


@pytest.mark.parametrize("changes", SPOILT.values(), ids=SPOILT)
def test_message_without_its_proof_is_refused_for_its_signature(changes: Mapping[str, str | None]) -> None:
    """Whatever part of the proof is missing, changed or of another method."""
    CERTIFICATES.verify(message(peer.signed(FIELDS)), peer.NOW)

    assert "signature" == reason(CERTIFICATES, {**peer.signed(FIELDS), **changes})


@pytest.mark.parametrize("changes", NOT_CONFIGURED.values(), ids=NOT_CONFIGURED)
def test_message_of_another_version_or_method_is_refused_although_the_platform_signed_it(
    changes: dict[str, str | None],
) -> None:
    """The settings choose how a message is proven, never the message."""
    fields = peer.present({**peer.signed(FIELDS), **changes})
    signature = peer.signature(fields, "platform_sign")

    assert "signature" == reason(CERTIFICATES, {**fields, "signature": signature})


@pytest.mark.parametrize("pem", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"], ids=repr)
def test_message_with_a_certificate_that_is_none_is_refused_for_its_key(pem: str) -> None:
    """A signature is there and a key is named, but not one that can be believed."""
    assert "unknown_key" == reason(CERTIFICATES, {**peer.signed(FIELDS), "signPubKeyCert": pem})


def test_message_after_its_certificate_has_ended_is_refused_for_its_key() -> None:
    """At the instant of the message's arrival, not of the certificate's first use."""
    late = datetime(2049, 6, 1, tzinfo=CHINA)

    assert "unknown_key" == reason(CERTIFICATES, peer.signed(FIELDS), late)


@pytest.mark.parametrize("method", KEYS)
@pytest.mark.parametrize(
    "changes",
    [
        {"signature": None},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "成功"},
        {"txnAmt": "38002"},
    ],
    ids=str,
)
def test_message_that_the_shared_key_did_not_sign_is_refused_for_its_signature(
    method: str, changes: Mapping[str, str | None]
) -> None:
    """One word for all of it: there is no key that the message names."""
    signed = KEYS[method].sign(FIELDS)
    KEYS[method].verify(message(signed), peer.NOW)

    assert "signature" == reason(KEYS[method], {**signed, **changes})


@pytest.mark.parametrize("method", KEYS)
@pytest.mark.parametrize("changes", [{"version": "5.0.0"}, {"signMethod": "01"}, {"signMethod": ""}], ids=str)
def test_message_of_another_version_or_method_is_refused_although_the_shared_key_signed_it(
    method: str, changes: Mapping[str, str | None]
) -> None:
    """As with certificates; the signature itself is right."""
    fields = {**KEYS[method].sign(FIELDS), **changes}
    signed = fields | {"signature": KEYS[method]._signature(message(fields).canonical)}

    assert "signature" == reason(KEYS[method], signed)


def test_proof_does_not_show_its_private_key() -> None:
    """Not even as an object's address."""
    assert "private_key" not in repr(CERTIFICATES)
    assert peer.CERT_ID in repr(CERTIFICATES)


def test_shared_keys_do_not_end_and_certificates_end_when_they_say() -> None:
    """What an operator is warned of: only certificates that were met."""
    fresh = peer.provider()._config.proof
    before = dict(fresh.expiries())
    fresh.verify(message(peer.signed(FIELDS)), peer.NOW)

    assert {} == KEYS["11"].expiries() == KEYS["12"].expiries()
    assert len(fresh.expiries()) > len(before)


def test_signed_request_carries_its_method_and_our_serial() -> None:
    """Trimmed, blank fields left out; the signature is not part of what is signed."""
    blanks = {"reqReserved": " ", "orderId": f" {peer.NUMBER} "}
    certified, keyed = CERTIFICATES.sign({**FIELDS, **blanks}), KEYS["12"].sign({**FIELDS, **blanks})

    assert ("01", peer.CERT_ID, peer.NUMBER) == (certified["signMethod"], certified["certId"], certified["orderId"])
    assert ("12", peer.NUMBER) == (keyed["signMethod"], keyed["orderId"])
    assert "reqReserved" not in certified | keyed
    assert "certId" not in keyed
    assert peer.signature(certified, "merchant_sign") == certified["signature"]
