"""The text that a request signs, where the vectors have no case of it."""

from adapters.alipay.signing import request_text


def test_text_leaves_out_sign_and_empty_values_and_keeps_sign_type() -> None:
    """A signature does not sign itself, and what is empty is not sent."""
    parameters = {"sign": "AAAA", "sign_type": "RSA2", "method": "alipay.trade.query", "biz_content": "", "app_id": "1"}

    assert "app_id=1&method=alipay.trade.query&sign_type=RSA2" == request_text(parameters)
