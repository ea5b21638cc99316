"""The simulator of 支付宝 (Alipay) OpenAPI v2, in key mode and certificate mode."""

from sandbox.alipay.simulator import AlipaySimulator

__all__ = ["AlipaySimulator"]
