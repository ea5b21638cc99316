"""The simulator of 银联 (UnionPay) 全渠道 ACP 5.1.0, signMethod 01."""

from sandbox.unionpay.simulator import UnionpaySimulator

__all__ = ["UnionpaySimulator"]
