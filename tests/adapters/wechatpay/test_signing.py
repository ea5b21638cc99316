"""Why a message is not believed, in the word that counters and logs show."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from adapters.wechatpay.signing import NotAuthentic, verify_message
from tests.adapters.wechatpay import peer

BODY = b'{"id":"invented"}'
HEADERS = peer.signature_headers(BODY)
NEEDED = {f"wechatpay-{name}" for name in ("timestamp", "nonce", "serial", "signature")}
KEY = peer._PRIVATE_KEYS["a"].public_key()


def reason(changes: Mapping[str, str | None], *, known: bool = True) -> str:
    headers = {name: value for name, value in {**HEADERS, **changes}.items() if value is not None}
    with pytest.raises(NotAuthentic) as raised:
        verify_message(headers, BODY, now=peer.NOW, find_key=lambda _serial: KEY if known else None)
    assert raised.value.skew_seconds is None
    return raised.value.reason


MALFORMED: dict[str, dict[str, str | None]] = {
    **{f"no-{name}": {name: None} for name in HEADERS if name in NEEDED},
    "blank-serial": {"wechatpay-serial": ""},
    "blank-signature": {"wechatpay-signature": ""},
    "blank-nonce": {"wechatpay-nonce": ""},
    "nonce-of-two-lines": {"wechatpay-nonce": "a\nb"},
    "timestamp-of-text": {"wechatpay-timestamp": "now"},
    "negative-timestamp": {"wechatpay-timestamp": "-1"},
    "other-type": {"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"},
    "blank-type": {"wechatpay-signature-type": ""},
}


@pytest.mark.parametrize("changes", MALFORMED.values(), ids=MALFORMED)
def test_message_whose_headers_are_not_whole_is_refused_for_them(changes: Mapping[str, str | None]) -> None:
    """Before any key is looked for."""
    verify_message(HEADERS, BODY, now=peer.NOW, find_key=lambda _serial: KEY)

    assert "headers" == reason(changes)
    assert "headers" == reason(changes, known=False)


def test_message_under_a_key_that_nobody_knows_or_with_another_signature_says_which() -> None:
    """A new key may be fetched; a wrong signature stays wrong."""
    assert "unknown_key" == reason({}, known=False)
    assert "signature" == reason({"wechatpay-signature": "QUJD"})
    assert "signature" == reason({"wechatpay-nonce": "another"})


@pytest.mark.parametrize("seconds", [300, -300, 86_400])
def test_stale_message_says_by_how_much(seconds: int) -> None:
    """Before any key is looked for; positive is in our past."""
    with pytest.raises(NotAuthentic) as raised:
        verify_message(HEADERS, BODY, now=peer.NOW + timedelta(seconds=seconds), find_key=lambda _serial: None)

    assert ("stale", seconds) == (raised.value.reason, raised.value.skew_seconds)
