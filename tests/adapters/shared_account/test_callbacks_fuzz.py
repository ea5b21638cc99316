"""Whatever is posted, parse_callback raises nothing but its two declared errors."""

import base64
import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.shared_account.canonical import canonical_text
from adapters.shared_account.config import Config
from adapters.shared_account.reports import read_notice
from gateway.domain.provider import CallbackRefused, CallbackUnreadable, RawCallback
from tests.adapters.shared_account import peer

PROVIDER = peer.provider()
CONFIG: Config = PROVIDER._config
OUTER = ("appId", "encType", "signType", "timestamp", "version", "transType", "encData", "signData", "extra", "data")

json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
# Everything behind the proof, without the price of a signature for each example.
TRUSTING = peer.provider()
TRUSTING._config = replace(CONFIG, envelope=replace(CONFIG.envelope, verify=lambda _text, _proof: True))


def parse(provider: Any, body: bytes) -> None:
    with contextlib.suppress(CallbackRefused, CallbackUnreadable):
        provider.parse_callback(RawCallback(headers={}, body=body, received_at=peer.NOW))


def trusted(members: dict[str, Any], plain: bytes) -> bytes:
    sealed = {"encData": peer.sm4(peer.channel_key(), plain).hex(), "signData": base64.b64encode(bytes(64)).decode()}
    return json.dumps({**peer.outer("sa.pay.notify", peer.NOW), **sealed, **members}).encode()


@fuzz
@given(headers=st.dictionaries(st.text(), st.text()), body=st.binary() | st.text().map(str.encode))
def test_arbitrary_callback_is_refused(headers: dict[str, str], body: bytes) -> None:
    """Bytes from nowhere prove nothing."""
    with pytest.raises(CallbackRefused):
        PROVIDER.parse_callback(RawCallback(headers=headers, body=body, received_at=peer.NOW))


@fuzz
@given(members=st.dictionaries(st.sampled_from(OUTER) | st.text(), json_values))
def test_arbitrary_envelope_is_refused(members: Any) -> None:
    """Members of any shape, none of them proven."""
    with pytest.raises(CallbackRefused):
        PROVIDER.parse_callback(
            RawCallback(headers={}, body=json.dumps(members).encode("utf-8", "replace"), received_at=peer.NOW)
        )


@fuzz
@given(changes=st.dictionaries(st.sampled_from(OUTER), json_values, min_size=1))
def test_envelope_with_arbitrary_members_raises_only_declared_errors(changes: Any) -> None:
    """A good callback with members replaced."""
    body = {**json.loads(peer.callback(peer.paid()).body), **changes}
    parse(PROVIDER, json.dumps(body).encode())
    parse(TRUSTING, json.dumps(body).encode())


@fuzz
@given(changes=st.dictionaries(st.sampled_from(sorted(peer.revoked())), json_values))
@pytest.mark.parametrize("good", [peer.paid(), peer.revoked()], ids=["paid", "revoked"])
def test_sealed_junk_members_raise_only_declared_errors(good: dict[str, Any], changes: Any) -> None:
    """A good object with members of any shape in it."""
    parse(TRUSTING, trusted({}, json.dumps({**good, **changes}).encode()))


@fuzz
@given(plain=st.binary())
def test_sealed_bytes_raise_only_declared_errors(plain: bytes) -> None:
    """Anything at all under the right key."""
    parse(TRUSTING, trusted({}, plain))


@fuzz
@given(members=st.dictionaries(st.text(), json_values))
def test_proven_arbitrary_members_raise_only_declared_errors(members: Any) -> None:
    """Members beside the envelope's own."""
    parse(TRUSTING, trusted(members, json.dumps(peer.paid()).encode()))


@fuzz
@given(data=st.dictionaries(st.text(), json_values))
def test_notice_of_any_shape_raises_only_value_errors(data: Any) -> None:
    """The reader behind the door."""
    with contextlib.suppress(ValueError):
        read_notice(CONFIG, data)


texts = st.text(st.characters(blacklist_categories=("Cs",)))
plain_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53) + 1, (1 << 53) - 1) | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=12,
)


@fuzz
@given(data=st.dictionaries(texts, plain_values, max_size=6))
def test_canonical_text_equals_that_of_another_writer(data: Any) -> None:
    """The tests' own few lines make the same text of the same object."""
    message = {**peer.outer("sa.pay.notify", peer.NOW), "data": data}

    assert peer.canonical(message).decode() == canonical_text(message, peer.APP_SECRET)
