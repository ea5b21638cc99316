"""The simulator of 微信支付 (WeChat Pay) APIv3, direct and partner, in both key modes."""

from sandbox.wechatpay.simulator import WechatpaySimulator

__all__ = ["WechatpaySimulator"]
