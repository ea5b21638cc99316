"""Answers from which nothing can be concluded, and encrypted ones."""

import json
from typing import Any

import pytest
import requests
import responses

from adapters.alipay.tables import (
    API_CLOSE,
    API_QUERY,
)
from adapters.kit.aes import decrypt_content, encrypt_content, load_content_key
from gateway.domain.provider import (
    NoVerdict,
    ProviderUnavailable,
)
from gateway.domain.report import (
    ReportedState,
)
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, payment, provider, ref, refund, replies, trade

_NOT_EXIST = failed("40004", "ACQ.TRADE_NOT_EXIST")


# --- faults of the way ------------------------------------------------------------------------------------------------

_GOOD = answer_body(API_QUERY, trade())


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(requests.ReadTimeout(), id="time-out"),
        pytest.param(requests.ConnectionError(ConnectionResetError()), id="reset"),
        pytest.param((500, _GOOD), id="good-body-500"),
        pytest.param((302, _GOOD), id="redirect"),
        pytest.param((403, b""), id="forbidden"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>502</html>", id="html"),
        pytest.param(_GOOD[: len(_GOOD) // 2], id="half"),
        pytest.param(_GOOD + b"}", id="grown"),
        pytest.param(b"\xef\xbb\xbf" + _GOOD, id="bom"),
        pytest.param(b"\xff\xfe", id="no-charset"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"alipay_trade_query_response":' + b"[" * 100_000, id="deep-node"),
        pytest.param(_GOOD.replace(b'"sign":', b'"sign":"","sign":'), id="sign-twice"),
        pytest.param(b'{"alipay_trade_query_response":{},' + _GOOD[1:], id="node-twice"),
        pytest.param(b'{"alipay_trade_query\\u005fresponse":{},' + _GOOD[1:], id="node-twice-escaped"),
        pytest.param(_GOOD.split(b',"sign"')[0] + b"}", id="unsigned-success"),
        pytest.param(_GOOD.split(b',"sign"')[0] + b',"sign":""}', id="empty-sign"),
        pytest.param(_GOOD.split(b',"sign"')[0] + b',"sign":null}', id="null-sign"),
        pytest.param(_GOOD.replace(b"380.01", b"3.01"), id="tampered"),
        pytest.param(answer_body(API_QUERY, trade(), key="app"), id="own-key"),
        pytest.param(answer_body(API_CLOSE, trade()), id="another-method"),
        pytest.param(answer_body(API_QUERY, trade(), node="sign_response"), id="another-node"),
        pytest.param(answer_body(API_QUERY, '{"code":"10000","code":"40004"}'), id="signed-duplicate"),
        pytest.param(answer_body(API_QUERY, '{"code":NaN}'), id="signed-nan"),
        pytest.param(answer_body(API_QUERY, '"AAAA"'), id="encrypted-unasked"),
        pytest.param(answer_body(API_QUERY, "[]"), id="signed-array"),
        pytest.param(
            '{"alipay_trade_query_response":{"code":"20000","sub_msg":"系统繁忙"}}'.encode("gbk"), id="gbk-error"
        ),
    ],
)
def test_query_without_a_proven_answer_is_no_verdict(reply: peer.Reply) -> None:
    """Whatever came back, it is not Alipay's word."""
    with replies(reply), pytest.raises(NoVerdict):
        provider().query(ref())


def test_answer_with_sign_before_the_node_and_blanks_is_read() -> None:
    """Order and spacing of the members are not promised."""
    node = peer.compact(trade())
    body = f' {{ "sign" : "{peer.sign(node.encode())}" ,\n "alipay_trade_query_response" : {node} }} '.encode()

    with replies(body):
        assert provider().query(ref()).report.state is ReportedState.PAID


def test_unreachable_gateway_is_unavailable() -> None:
    """Nothing left, so nothing was accepted."""
    with responses.RequestsMock() as mock:
        mock.add(responses.POST, peer.BASE_URL, body=requests.ConnectTimeout())
        with pytest.raises(ProviderUnavailable):
            provider().refund(refund())


# --- content encryption -----------------------------------------------------------------------------------------------

_ENCRYPTED = {"encrypt_key": Secret(peer.CONTENT_KEY)}
_KEY = load_content_key(peer.CONTENT_KEY)


def _encrypted_answer(members: dict[str, Any]) -> bytes:
    return answer_body(API_QUERY, f'"{encrypt_content(_KEY, peer.compact(members))}"')


def test_encrypted_call_signs_the_ciphertext_and_reads_the_answer() -> None:
    """biz_content is replaced before signing; the answer's signature covers the quoted ciphertext."""
    with replies(_encrypted_answer(trade())) as wire:
        report = provider(**_ENCRYPTED).query(ref()).report

    sent = wire.parameters()
    assert sent["encrypt_type"] == "AES"
    assert json.loads(decrypt_content(_KEY, sent["biz_content"])) == {"out_trade_no": peer.NUMBER}
    text = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "sign")
    assert sent["sign"] == peer.sign(text.encode(), "app")
    assert report.state is ReportedState.PAID


def test_encrypted_account_reads_a_plain_answer_too() -> None:
    """Errors come in clear."""
    with replies(answer_body(API_QUERY, _NOT_EXIST)):
        assert provider(**_ENCRYPTED).query(ref()).report.state is ReportedState.NOT_FOUND


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer_body(API_QUERY, '"AAAA"'), id="no-block"),
        pytest.param(answer_body(API_QUERY, '"????"'), id="no-base64"),
        pytest.param(answer_body(API_QUERY, '"号"'), id="no-ascii"),
        pytest.param(answer_body(API_QUERY, '"' + "A" * 22 + '=="'), id="broken-padding"),
        pytest.param(_encrypted_answer(trade()).split(b',"sign"')[0] + b"}", id="unsigned"),
    ],
)
def test_ciphertext_that_does_not_open_is_no_verdict(reply: bytes) -> None:
    """A ciphertext is opened after its signature alone, and may still be junk."""
    with replies(reply), pytest.raises(NoVerdict):
        provider(**_ENCRYPTED).query(ref())


def test_browser_payment_is_not_encrypted() -> None:
    """Only calls between servers are: whether the cashier takes ciphertext is not verified."""
    url = provider(**_ENCRYPTED).create(payment("page")).instruction.payload["url"]

    assert "encrypt_type" not in peer.query_of(url)
