"""Whatever is posted, parse_callback raises nothing but its two declared errors."""

import contextlib
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.provider import CallbackRefused, CallbackUnreadable, Provider, RawCallback
from tests.adapters.wechatpay import peer

PROVIDER: Provider = peer.provider(certificate_download="off")
HEADERS = (
    "wechatpay-timestamp",
    "wechatpay-nonce",
    "wechatpay-serial",
    "wechatpay-signature",
    "wechatpay-signature-type",
)

json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def parse(raw: RawCallback) -> None:
    with contextlib.suppress(CallbackRefused, CallbackUnreadable):
        PROVIDER.parse_callback(raw)


@fuzz
@given(headers=st.dictionaries(st.sampled_from(HEADERS) | st.text(), st.text()), body=st.binary())
def test_arbitrary_callback_is_refused(headers: dict[str, str], body: bytes) -> None:
    """Bytes from nowhere prove nothing."""
    with pytest.raises(CallbackRefused):
        PROVIDER.parse_callback(RawCallback(headers=headers, body=body, received_at=peer.NOW))


@fuzz
@given(name=st.sampled_from(HEADERS), value=st.text())
def test_callback_with_one_arbitrary_header_raises_only_declared_errors(name: str, value: str) -> None:
    """One header of a good callback replaced."""
    raw = peer.payment_callback(peer.paid())
    parse(RawCallback(headers={**raw.headers, name: value}, body=raw.body, received_at=raw.received_at))


@fuzz
@given(body=st.binary())
def test_signed_bytes_raise_only_declared_errors(body: bytes) -> None:
    """Proven bytes of any kind."""
    parse(peer.callback(body))


@fuzz
@given(members=st.dictionaries(st.sampled_from(("id", "event_type", "resource", "summary")), json_values))
def test_signed_junk_envelope_raises_only_declared_errors(members: Any) -> None:
    """A proven envelope with members of any shape."""
    parse(peer.callback(_ascii_json({"event_type": "TRANSACTION.SUCCESS", **members})))


@fuzz
@given(
    resource=st.dictionaries(
        st.sampled_from(("algorithm", "nonce", "ciphertext", "associated_data", "original_type")), json_values
    )
)
def test_signed_junk_resource_raises_only_declared_errors(resource: Any) -> None:
    """A good resource with members of any shape in it."""
    parse(peer.callback(_ascii_json(peer.envelope({**peer.sealed(b"{}"), **resource}))))


@fuzz
@given(
    changes=st.dictionaries(st.sampled_from(sorted({*peer.paid_to_partner(), *peer.refunded_callback()})), json_values)
)
@pytest.mark.parametrize("event", ["TRANSACTION.SUCCESS", "REFUND.SUCCESS"])
def test_sealed_junk_members_raise_only_declared_errors(event: str, changes: Any) -> None:
    """A good object with members of any shape in it."""
    good = peer.paid() if event.startswith("T") else peer.refunded_callback()
    kind = "transaction" if event.startswith("T") else "refund"
    sealed = peer.sealed(_ascii_json({**good, **changes}))
    parse(peer.callback(peer.compact(peer.envelope(sealed, event=event, original_type=kind))))


@fuzz
@given(plain=st.binary() | st.text(alphabet=string.printable).map(str.encode))
def test_sealed_bytes_raise_only_declared_errors(plain: bytes) -> None:
    """Anything at all under the right key."""
    parse(peer.payment_callback(plain))


def _ascii_json(members: Any) -> bytes:
    """Escaped, so that lone surrogates get through."""
    import json

    return json.dumps(members).encode()
